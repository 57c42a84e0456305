"""SOAP 1.2 and MTOM for the document sharing transactions (ITI TF-2 Appendix V): server, client, nothing between.

Serve actors with any ASGI server (uvicorn is installed with the library), alone or mounted below another application::

    from xds.vocab.actors import Actor
    from xds_soap import SoapApp, SoapEndpoint

    endpoint = SoapEndpoint(
        {Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository},
        store,                                 # where documents are staged: a ports.UnitOfWork
    )
    app = SoapApp(endpoint)                    # POST /registry, POST /repository, /health/…, /metrics
    uvicorn.run(app)
    fastapi_app.mount("/xds", app)             # or below yours; call app.close() when you shut down

In an engine with its own HTTP listener, bytes in and bytes out, in your threads::

    reply = endpoint.handle("/registry", request.content_type, request.body, peer=request.client)
    send(reply.status, reply.headers, reply.chunks)

or under WSGI, with ``WsgiApp(endpoint)``. A request is dispatched on its WS-Addressing action among the transactions
of the actors behind its path. What arrives as an MTOM package is answered as one, faults included; what arrives plain
is answered plain.

Talk to other systems with ``SoapExchange``, which ``xds.clients`` takes as its way to a peer::

    from xds.clients.documents import DocumentConsumer

    registry = SoapExchange("https://registry.example/registry", ssl_context=context)
    repository = SoapExchange("https://repository.example/repository", ssl_context=context)
    consumer = DocumentConsumer(registry, {"1.3.6.1.4.1.21367.2026.1.1": repository})

Names:

* :class:`SoapEndpoint`, :class:`SoapReply`: requests to actors and back, without sockets
* :class:`SoapApp`, :class:`WsgiApp`: hosts
* :class:`SoapExchange`: the client
* :class:`HttpReplyDelivery`: answers to a ReplyTo address (asynchronous exchange); off unless given to the endpoint
* :class:`Limits`: what a request may cost
* :class:`Metrics`: counters, in the Prometheus text format
* :class:`SoapFault`, :class:`ResponseBroken`: exceptions
"""

from __future__ import annotations

from xds_soap.asgi import ResponseBroken, SoapApp
from xds_soap.client import SoapExchange
from xds_soap.delivery import HttpReplyDelivery
from xds_soap.endpoint import PATHS, SoapEndpoint
from xds_soap.faults import SoapFault
from xds_soap.limits import Limits
from xds_soap.metrics import Metrics
from xds_soap.reply import SoapReply
from xds_soap.wsgi import WsgiApp

__all__ = [
    "PATHS",
    "HttpReplyDelivery",
    "Limits",
    "Metrics",
    "ResponseBroken",
    "SoapApp",
    "SoapEndpoint",
    "SoapExchange",
    "SoapFault",
    "SoapReply",
    "WsgiApp",
]
