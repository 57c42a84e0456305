"""Inside an engine with an HTTP listener of its own: bytes in, bytes out.

The library needs no web server. Here the listener is the standard library's; what matters is ``do_POST``.
"""

from __future__ import annotations

import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from xds import DocumentRegistry, DocumentRepository, open_store
from xds.vocab.actors import Actor
from xds_soap import SoapEndpoint

folder = tempfile.mkdtemp()
store = open_store(f"{folder}/registry.sqlite", documents=f"{folder}/documents")
registry = DocumentRegistry(store)
repository = DocumentRepository(store, registry)
endpoint = SoapEndpoint({Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository}, store)


class Listener(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = endpoint.handle(
            self.path, headers.get("content-type", ""), self._body(), headers=headers, peer=self.client_address[0]
        )
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        for chunk in reply.chunks:  # a large document comes in pieces
            self.wfile.write(chunk)

    def _body(self) -> Iterator[bytes]:
        left = int(self.headers.get("content-length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
            yield piece

    def log_message(self, format: str, *args: object) -> None:
        """An engine logs in its own way; this example does not."""


listener = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
threading.Thread(target=listener.serve_forever).start()
url = f"http://127.0.0.1:{listener.server_port}"

QUERY = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">
<s:Header><a:Action>urn:ihe:iti:2007:RegistryStoredQuery</a:Action><a:MessageID>urn:example:1</a:MessageID></s:Header>
<s:Body><AdhocQueryRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
    xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><ResponseOption returnType="ObjectRef"/>
<rim:AdhocQuery id="urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"><rim:Slot name="$XDSDocumentEntryUniqueId">
<rim:ValueList><rim:Value>('1.2.3')</rim:Value></rim:ValueList></rim:Slot></rim:AdhocQuery></AdhocQueryRequest>
</s:Body></s:Envelope>"""
request = urllib.request.Request(f"{url}/registry", QUERY.encode(), {"Content-Type": "application/soap+xml"})
with urllib.request.urlopen(request) as answer:
    print(answer.status, answer.headers["Content-Type"])
    print(answer.read().decode()[-400:])

listener.shutdown()
listener.server_close()
store.close()
