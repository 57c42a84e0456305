"""A client that knows only the WSDL: zeep retrieves a document over MTOM, byte for byte.

Here it runs against a server in this process; give a URL to use another one: ``zeep_client.py http://HOST:8080``.
"""

import sys
import threading
import time

import uvicorn
import zeep

from xds import DocumentRegistry, DocumentRepository, open_store
from xds.vocab.actors import Actor
from xds_soap import SoapApp, SoapEndpoint
from xds_soap.zeep import MtomTransport


def served() -> tuple[uvicorn.Server, str]:
    """A registry and repository on a free port."""
    store = open_store("sqlite:///registry.sqlite", documents="documents")
    registry = DocumentRegistry(store)
    actors = {Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: DocumentRepository(store, registry)}
    app = SoapApp(SoapEndpoint(actors, store), on_shutdown=store.close)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    threading.Thread(target=server.run).start()
    while not server.started:
        time.sleep(0.01)
    return server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def ask(url: str) -> None:
    registry = zeep.Client(f"{url}/registry?wsdl")
    repository = zeep.Client(f"{url}/repository?wsdl", transport=MtomTransport())
    parameters = {
        "$XDSDocumentEntryPatientId": "'P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    found = registry.service.DocumentRegistry_RegistryStoredQuery(
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={
            "id": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",  # FindDocuments
            "Slot": [{"name": name, "ValueList": {"Value": [value]}} for name, value in parameters.items()],
        },
    )
    print("the registry says", found.status.rpartition(":")[2])
    answer = repository.service.DocumentRepository_RetrieveDocumentSet(
        [{"RepositoryUniqueId": "1.3.6.1.4.1.21367.2026.1.1", "DocumentUniqueId": "1.2.3.4"}]
    )
    print("the repository says", answer.RegistryResponse.status.rpartition(":")[2])
    for error in answer.RegistryResponse.RegistryErrorList.RegistryError:
        print(" ", error.errorCode, error.codeContext)
    for document in answer.DocumentResponse:
        print(" ", document.DocumentUniqueId, len(document.Document), "bytes")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ask(sys.argv[1])
    else:
        server, url = served()
        try:
            ask(url)
        finally:
            server.should_exit = True
