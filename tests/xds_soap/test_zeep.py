"""zeep with our transport against a real server: documents both ways, byte for byte."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zeep
from lxml import etree
from zeep.exceptions import Fault, TransportError

from tests.xds_soap import systems
from tests.xds_soap.test_wsdl import registry_objects
from xds_soap.zeep import MtomTransport, SamlToken

REPOSITORY = "1.3.6.1.4.1.21367.2026.1.1"
PROVIDE = "DocumentRepository_ProvideAndRegisterDocumentSet-b"
RETRIEVE = "DocumentRepository_RetrieveDocumentSet"

DOCUMENTS = {
    "begins and ends with CR LF": b"\r\nline\r\n",
    "begins and ends with LF": b"\n\nline\n\n",
    "begins and ends with CR": b"\r\rline\r\r",
    "is one LF": b"\n",
    "is empty": b"",
    "has NUL bytes": b"\0\0document\0",
    "looks like a boundary": b"\r\n--xds\r\n\r\n--\r\n",
    "is text in GB18030": "出院小结\r\n".encode("gb18030"),
    "is every byte": bytes(range(256)),
    "has 5 MB": random.Random(5).randbytes(5 * 2**20),
}


class Listening(MtomTransport):
    """Keeps what went over the wire."""

    def post(self, address: str, message: bytes, headers: Any) -> requests.Response:
        self.sent, self.sent_type = message, headers["Content-Type"]
        response: requests.Response = super().post(address, message, headers)  # type: ignore[no-untyped-call]
        self.received_type = response.headers["Content-Type"]
        return response


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with systems.served(tmp_path_factory.mktemp("zeep")) as url:
        yield url


def provide(client: zeep.Client, unique_id: str, document: bytes) -> Any:
    return client.service[PROVIDE](
        SubmitObjectsRequest={"RegistryObjectList": {"_value_1": registry_objects(unique_id, document=document)}},
        Document=[{"id": "Document01", "_value_1": document}],
    )


def retrieve(client: zeep.Client, unique_id: str) -> Any:
    return client.service[RETRIEVE]([{"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": unique_id}])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_comes_back_byte_for_byte(served: str, name: str) -> None:
    transport = Listening()
    client = zeep.Client(f"{served}/repository?wsdl", transport=transport)
    unique_id = f"1.2.826.78.{list(DOCUMENTS).index(name) + 1}"
    answer = provide(client, unique_id, DOCUMENTS[name])
    assert answer.status.endswith(":Success"), answer
    assert transport.sent_type.startswith("multipart/related")
    assert transport.received_type.startswith("multipart/related")
    assert DOCUMENTS[name] in transport.sent
    if len(DOCUMENTS[name]) > 100:
        assert base64.b64encode(DOCUMENTS[name])[:100] not in transport.sent
    [document] = retrieve(client, unique_id).DocumentResponse
    assert document.Document == DOCUMENTS[name]
    assert document.mimeType == "text/plain"


def test_what_has_no_documents_goes_out_as_zeep_sends_it(served: str) -> None:
    transport = Listening()
    registry = zeep.Client(f"{served}/registry?wsdl", transport=transport).service
    registry["DocumentRegistry_RegisterDocumentSet-b"](
        RegistryObjectList={"_value_1": registry_objects("1.2.826.79.1")}
    )
    assert transport.sent_type.startswith("application/soap+xml")


def test_what_is_refused_is_read_from_its_package(served: str) -> None:
    client = zeep.Client(f"{served}/repository?wsdl", transport=MtomTransport())
    answer = retrieve(client, "1.2.826.79.404")
    assert answer.RegistryResponse.status.endswith(":Failure")
    [error] = answer.RegistryResponse.RegistryErrorList.RegistryError
    assert error.errorCode == "XDSDocumentUniqueIdError"


def test_a_fault_in_a_package_is_zeeps_fault(served: str) -> None:
    client = zeep.Client(f"{served}/repository?wsdl", transport=MtomTransport())
    service = client.create_service(
        "{urn:ihe:iti:xds-b:2007}DocumentRepository_Binding_Soap12", f"{served}/registry"
    )  # where nobody answers this action
    with pytest.raises(Fault, match="action"):
        service[RETRIEVE]([{"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": "1.2.3"}])


def test_an_answer_above_the_limit_is_a_transport_error(served: str) -> None:
    small = zeep.Client(f"{served}/repository?wsdl", transport=MtomTransport(max_answer=2000))
    provide(zeep.Client(f"{served}/repository?wsdl", transport=MtomTransport()), "1.2.826.80.1", b"x" * 5000)
    with pytest.raises(TransportError, match="2000 bytes"):
        retrieve(small, "1.2.826.80.1")


def test_a_saml_assertion_goes_into_the_security_header(served: str) -> None:
    assertion = etree.fromstring(
        '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="a1" Version="2.0"/>'
    )
    transport = Listening()
    client = zeep.Client(f"{served}/repository?wsdl", transport=transport, wsse=SamlToken(assertion))
    assert retrieve(client, "1.2.826.79.404").RegistryResponse is not None  # the header is tolerated
    security = b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    assert security in transport.sent
    assert (
        b'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="a1" Version="2.0"/>' in transport.sent
    )
