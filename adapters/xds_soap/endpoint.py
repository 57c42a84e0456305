"""SOAP requests to actors and back: bytes in, bytes out, no sockets.

:class:`SoapEndpoint` is for every host: ``handle`` does a whole request in the caller's thread; the ASGI application
uses ``open`` and works on the :class:`Call` step by step, so that a waiting submission holds no thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from xds.errors import MalformedMessage, MessageTooLarge
from xds.ports import Stage
from xds.transactions.base import Transaction
from xds.vocab.actors import Actor
from xds_soap import faults, reply
from xds_soap.call import Call, HttpRequest, Pending, ReplyDelivery, Route, Services
from xds_soap.faults import SoapFault
from xds_soap.limits import Limits, Quota, check
from xds_soap.metrics import Metrics
from xds_soap.mime import parse_header
from xds_soap.reply import Addressed, SoapReply

# INTERFACES: which actors answer behind which path
PATHS: Final[Mapping[str, tuple[Actor, ...]]] = {
    "/registry": (Actor.DOCUMENT_REGISTRY,),
    "/repository": (Actor.DOCUMENT_REPOSITORY,),
    "/pix": (Actor.PATIENT_IDENTIFIER_CROSS_REFERENCE_MANAGER,),
    "/pdq": (Actor.PATIENT_DEMOGRAPHICS_SUPPLIER,),
}
_PLAIN_TYPES: Final = frozenset({"application/soap+xml", "text/xml", "application/xml"})
# what a proxy adds to a request that it passes on (RFC 7239, and the usage before it)
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for"})


class Stages(Protocol):
    """Where documents are staged: a ``ports.UnitOfWork``, or anything with its ``stage``."""

    def stage(self) -> Stage: ...


class SoapEndpoint:
    """The SOAP side of one or more actors (ITI TF-2 Appendix V).

    ``actors`` are the actor objects by what they are; ``store`` is where documents are staged (``ports.UnitOfWork``).
    ``paths`` says which actors answer behind which path; of ``transactions`` (by default all) the SOAP ones are served.
    ``delivery`` makes the asynchronous exchange possible; without
    it a request with a ReplyTo address of its own is refused. Thread-safe.
    """

    def __init__(
        self,
        actors: Mapping[Actor, object],
        store: Stages,
        *,
        paths: Mapping[str, Sequence[Actor]] = PATHS,
        transactions: Iterable[object] | None = None,
        limits: Limits | None = None,
        delivery: ReplyDelivery | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if transactions is None:
            from xds.transactions import TRANSACTIONS

            transactions = TRANSACTIONS
        self.limits = limits or Limits()
        self.metrics = metrics or Metrics()
        early = Quota(self.limits.early_parts_total)
        self._services = Services(store.stage, self.limits, early, self.metrics, clock, delivery)
        self._routes = _routes(actors, paths, list(transactions))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths behind which somebody answers."""
        return tuple(self._routes)

    def wsdl(self, path: str, address: str) -> bytes | None:
        """The WSDL of a path for clients that reach it at ``address``; None when nobody answers there.

        ValueError for an address that is no http or https URL.
        """
        routes = self._routes.get(path)
        if routes is None:
            return None
        from xds_soap.wsdl import wsdl  # asked for once in a while

        transactions = [route.transaction for route in routes.values()]
        return wsdl(transactions[0].binding.operation.partition("_")[0], transactions, address)

    def handle(
        self,
        path: str,
        content_type: str,
        body: bytes | Iterable[bytes],
        *,
        headers: Mapping[str, str] | None = None,
        peer: str | None = None,
    ) -> SoapReply:
        """Answer one POST. Everything that is wrong with it becomes an answer; nothing is raised by what a peer sends.

        ``headers`` are further HTTP headers, names in lower case (``soapaction`` is read). ``peer`` is the address of
        the client; it is not believed when the headers say that a proxy passed the request on. What the iterable of
        the body raises is passed on, with everything staged discarded.
        """
        call = self.open(path, content_type, headers=headers, peer=peer)
        if isinstance(call, SoapReply):
            return call
        try:
            for chunk in (body,) if isinstance(body, bytes) else body:
                try:
                    call.feed(chunk)
                except Exception as error:  # noqa: BLE001 - becomes an answer; the body's own exceptions pass
                    return call.refuse(error)
            answer = call.answer()
        finally:
            call.close()
        return answer.finish() if isinstance(answer, Pending) else answer

    def open(
        self,
        path: str,
        content_type: str,
        *,
        headers: Mapping[str, str] | None = None,
        peer: str | None = None,
    ) -> Call | SoapReply:
        """Begin a request: a call to be fed with its body, or the answer that needs no body."""
        routes = self._routes.get(path)
        if routes is None:
            return reply.plain(404, "no actor answers here\n")
        kind, parameters = parse_header(content_type)
        if kind != "multipart/related" and kind not in _PLAIN_TYPES:
            return reply.plain(415, "SOAP 1.2 is expected: application/soap+xml or multipart/related\n")
        others = headers or {}
        encoding = others.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip", ""}:
            return reply.plain(415, "this Content-Encoding is not supported\n", (("Accept-Encoding", "gzip"),))
        action = parameters.get("action") or others.get("soapaction", "").strip().strip('"')
        client = None if _FORWARDED.intersection(others) else peer
        http = HttpRequest(kind, parameters, action, encoding in {"gzip", "x-gzip"}, client)
        try:
            return Call(self._services, routes, http)
        except MalformedMessage as error:  # a multipart type without boundary
            self.metrics.count("none", "fault", 0.0)
            return reply.fault(Addressed(True, None), SoapFault(faults.SENDER, str(error)))


def _routes(
    actors: Mapping[Actor, object], paths: Mapping[str, Sequence[Actor]], transactions: Sequence[object]
) -> dict[str, dict[str, Route]]:
    table: dict[str, dict[str, Route]] = {}
    for path, names in paths.items():
        present = [name for name in names if name in actors]
        routes = {
            row.binding.action: Route(row, actors[name])
            for name in present
            for row in transactions
            if isinstance(row, Transaction) and name in row.responders
        }
        if routes:
            table[path] = routes
    return table


def too_large(size: int, limits: Limits) -> SoapReply | None:
    """The refusal of a request whose Content-Length is above the limit; None when it may come."""
    try:
        check(size, limits.request, "the request")
    except MessageTooLarge as error:
        return reply.plain(413, f"{error}\n", (("Connection", "close"),))
    return None


def is_wsdl(query: str) -> bool:
    """Whether the query of a GET asks for the WSDL: ``?wsdl``, ``?WSDL``, and what .NET and others write."""
    return query.partition("=")[0].partition("&")[0].lower() in {"wsdl", "singlewsdl"}


def described(endpoint: SoapEndpoint, path: str, address: str) -> SoapReply:
    """The answer to a GET of ``?wsdl`` at ``address``."""
    try:
        document = endpoint.wsdl(path, address)
    except ValueError:
        return reply.plain(400, "the Host of the request is no host name\n")
    if document is None:
        return reply.plain(404, "no actor answers here\n")
    return reply.plain(200, document.decode(), kind="text/xml; charset=utf-8")
