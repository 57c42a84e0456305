"""A registry and a repository on an embedded store, served over SOAP in 15 lines, and a request to see it answer."""

from __future__ import annotations

import tempfile
import threading
import urllib.request

import uvicorn

from xds import DocumentRegistry, DocumentRepository, open_store
from xds.vocab.actors import Actor
from xds_soap import SoapApp, SoapEndpoint

folder = tempfile.mkdtemp()
store = open_store(f"sqlite:///{folder}/registry.sqlite", documents=f"{folder}/documents")
registry = DocumentRegistry(store)
repository = DocumentRepository(store, registry, unique_id="1.3.6.1.4.1.21367.2026.1.1")
endpoint = SoapEndpoint({Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository}, store)
app = SoapApp(endpoint, on_shutdown=store.close)

# uvicorn.run(app, port=8080) would be the end of a server; an example has to come back
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    pass
port = server.servers[0].sockets[0].getsockname()[1]
with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready") as answer:
    print(f"http://127.0.0.1:{port}/registry and /repository are", answer.read().decode().strip())
server.should_exit = True
thread.join()
