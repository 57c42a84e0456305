"""Mounted below a FastAPI application that has other work, too."""

from __future__ import annotations

import tempfile
import threading
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from xds import DocumentRegistry, DocumentRepository, open_store
from xds.vocab.actors import Actor
from xds_soap import SoapApp, SoapEndpoint

folder = tempfile.mkdtemp()
store = open_store(f"{folder}/registry.sqlite", documents=f"{folder}/documents")
registry = DocumentRegistry(store)
repository = DocumentRepository(store, registry)
soap = SoapApp(SoapEndpoint({Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository}, store))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    soap.close()
    store.close()


app = FastAPI(lifespan=lifespan)
app.mount("/xds", soap)  # SOAP at /xds/registry and /xds/repository


@app.get("/ours")
def ours() -> dict[str, str]:
    return {"answered by": "the engine"}


# what follows only shows that both answer
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    pass
url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
for path in ("/ours", "/xds/health/ready"):
    with urllib.request.urlopen(url + path) as answer:
        print(path, answer.status, answer.read().decode().strip())
server.should_exit = True
thread.join()
