"""The WSDL of each path, its schemas, and what a zeep client makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zeep
from lxml import etree

import xds_soap
from tests.evidence import messages
from tests.xds_soap import systems
from xds.vocab.namespaces import SOAP
from xds_soap import WsgiApp
from xds_soap.wsdl import wsdl

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP12 = "{http://schemas.xmlsoap.org/wsdl/soap12/}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with systems.served(tmp_path_factory.mktemp("wsdl")) as url:
        yield url


@pytest.fixture(scope="module")
def official(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "conformance/testkit/schema/v3/XDS.b_DocumentRepository.xsd"))


def body_of(envelope: bytes) -> etree._Element:
    [body] = etree.fromstring(envelope).iter(f"{{{SOAP}}}Body")
    return body[0]


def schema() -> etree.XMLSchema:
    """Our own schemas as one validator."""
    root = etree.Element("{http://www.w3.org/2001/XMLSchema}schema")
    for path in sorted((Path(xds_soap.__file__).parent / "wsdl" / "schemas").glob("*.xsd")):
        namespace = etree.parse(path).getroot().get("targetNamespace", "")
        etree.SubElement(root, f"{root.tag[:-6]}import", namespace=namespace, schemaLocation=path.as_uri())
    return etree.XMLSchema(root)


# --------------------------------------------------------------------------- the document


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl=", "singleWsdl"])
@pytest.mark.parametrize(
    ("path", "operations"),
    [
        ("/registry", {"DocumentRegistry_RegisterDocumentSet-b", "DocumentRegistry_RegistryStoredQuery"}),
        (
            "/repository",
            {"DocumentRepository_ProvideAndRegisterDocumentSet-b", "DocumentRepository_RetrieveDocumentSet"},
        ),
    ],
)
def test_a_path_describes_what_is_served_there(served: str, path: str, query: str, operations: set[str]) -> None:
    answer = httpx.get(f"{served}{path}?{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    root = etree.fromstring(answer.content)
    assert {element.get("name") for element in root.iterfind(f"{WSDL}portType/{WSDL}operation")} == operations
    [address] = root.iter(f"{SOAP12}address")
    assert address.get("location") == served + path


def test_the_address_is_the_one_the_client_used(served: str) -> None:
    answer = httpx.get(f"{served}/registry?wsdl", headers={"Host": "xds.example.org:8443"})
    assert b'location="http://xds.example.org:8443/registry"' in answer.content


@pytest.mark.parametrize("host", ['x"/><evil y="', "x>", "x y", "x&y"])
def test_a_host_that_is_none_does_not_get_into_the_document(served: str, host: str) -> None:
    assert httpx.get(f"{served}/registry?wsdl", headers={"Host": host}).status_code == 400


def test_a_path_where_nobody_answers_has_none(served: str) -> None:
    assert httpx.get(f"{served}/pix?wsdl").status_code == 404
    assert httpx.get(f"{served}/registry").status_code == 405


def test_wsgi_serves_it_too(tmp_path: Path) -> None:
    with systems.platform(tmp_path) as platform:
        transport = httpx.WSGITransport(WsgiApp(platform.endpoint))
        with httpx.Client(transport=transport, base_url="http://registry.example") as client:
            answer = client.get("/registry?wsdl")
    assert b'location="http://registry.example/registry"' in answer.content


def test_the_names_are_those_of_the_framework(served: str) -> None:
    root = etree.fromstring(httpx.get(f"{served}/repository?wsdl").content)
    [port_type], [binding], [port] = (root.iter(f"{WSDL}{name}") for name in ("portType", "binding", "port"))
    assert port_type.get("name") == "DocumentRepository_PortType"
    assert binding.get("name") == "DocumentRepository_Binding_Soap12"
    assert port.get("name") == "DocumentRepository_Port_Soap12"
    actions = {value for element in port_type.iter() for name, value in element.items() if name.endswith("}Action")}
    assert actions == {
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
        "urn:ihe:iti:2007:RetrieveDocumentSet",
        "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
    }


def test_an_address_that_is_no_url_is_an_error() -> None:
    with pytest.raises(ValueError, match="http or https"):
        wsdl("DocumentRegistry", [], "file:///etc")


# --------------------------------------------------------------------------- the schemas

REQUESTS = {
    "ITI-42": messages.iti42("1.2.3", messages.patient(1), b"content"),
    "ITI-41": messages.iti41_envelope("1.2.3", messages.patient(1)),
    "ITI-18": messages.iti18(messages.patient(1)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_valid(name: str) -> None:
    body = body_of(REQUESTS[name])
    for include in list(body.iter("{http://www.w3.org/2004/08/xop/include}Include")):
        include.getparent().remove(include)  # type: ignore[union-attr]  # XOP: the schema describes what it stands for
    schema().assertValid(body)


def test_what_is_not_in_order_is_not_valid() -> None:
    body = body_of(REQUESTS["ITI-18"])
    body.append(body[0])
    assert not schema().validate(body)


def test_answers_are_valid_by_our_schema_and_by_the_official_one(tmp_path: Path, official: etree.XMLSchema) -> None:
    with systems.platform(tmp_path) as platform:
        answers = [
            platform.endpoint.handle("/registry", messages.SOAP_TYPE, content)
            for content in (
                messages.iti42("1.2.3", messages.patient(1), b"content"),
                messages.iti42("1.2.3", messages.patient(2), b"other content"),  # refused: the uniqueId is taken
                messages.iti18(messages.patient(1)),
                messages.iti18(messages.patient(1), return_type="ObjectRef"),
            )
        ]
    assert [b"Failure" in b"".join(answer.chunks) for answer in answers] == [False, True, False, False]
    for answer in answers:
        body = body_of(b"".join(answer.chunks))
        schema().assertValid(body)
        official.assertValid(body)


# --------------------------------------------------------------------------- zeep


def slot(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "ValueList": {"Value": list(values)}}


def classification(scheme: str, owner: str, code: str) -> dict[str, Any]:
    return {
        "id": f"c-{scheme[9:17]}-{owner}",
        "classificationScheme": scheme,
        "classifiedObject": owner,
        "nodeRepresentation": code,
        "Slot": [slot("codingScheme", "1.2.3.99")],
        "Name": {"LocalizedString": [{"value": f"display name of {code}"}]},
    }


def identifier(scheme: str, owner: str, value: str, name: str) -> dict[str, Any]:
    return {
        "id": f"i-{scheme[9:17]}-{owner}",
        "registryObject": owner,
        "identificationScheme": scheme,
        "value": value,
        "Name": {"LocalizedString": [{"value": name}]},
    }


def registry_objects(unique_id: str, *, document: bytes | None = None) -> list[dict[str, Any]]:
    """What a program writes that knows only the WSDL: one DocumentEntry in one SubmissionSet."""
    slots = [
        slot("creationTime", "20260904123000"),
        slot("languageCode", "zh-CN"),
        slot("sourcePatientId", "MRN1^^^&1.2.3.4&ISO"),
    ]
    if document is None:
        slots += [
            slot("hash", "0" * 40),
            slot("size", "7"),
            slot("repositoryUniqueId", "1.3.6.1.4.1.21367.2026.1.1"),
        ]
    schemes = {
        "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "class",
        "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": "N",
        "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": "format",
        "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "hospital",
        "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "cardiology",
        "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": "type",
    }
    entry = {
        "id": "Document01",
        "mimeType": "text/plain",
        "objectType": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        "Slot": slots,
        "Classification": [classification(scheme, "Document01", code) for scheme, code in schemes.items()],
        "ExternalIdentifier": [
            identifier(
                "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
                "Document01",
                systems.PATIENT,
                "XDSDocumentEntry.patientId",
            ),
            identifier(
                "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "Document01", unique_id, "XDSDocumentEntry.uniqueId"
            ),
        ],
    }
    marker = {
        "id": "marker",
        "classifiedObject": "Set01",
        "classificationNode": "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    }
    package = {
        "id": "Set01",
        "Slot": [slot("submissionTime", "20260904124500")],
        "Classification": [marker, classification("urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "Set01", "content")],
        "ExternalIdentifier": [
            identifier(f"urn:uuid:{scheme}", "Set01", value, name)
            for scheme, value, name in (
                ("6b5aea1a-874d-4603-a4bc-96a0a7b38446", systems.PATIENT, "XDSSubmissionSet.patientId"),
                ("554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.3.4", "XDSSubmissionSet.sourceId"),
                ("96fdda7c-d067-4183-912e-bf5ee74998a8", f"{unique_id}.1", "XDSSubmissionSet.uniqueId"),
            )
        ],
    }
    association = {
        "id": "Association01",
        "associationType": "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
        "sourceObject": "Set01",
        "targetObject": "Document01",
        "Slot": [slot("SubmissionSetStatus", "Original")],
    }
    return [{"ExtrinsicObject": entry}, {"RegistryPackage": package}, {"Association": association}]


def stored_query(query: str, return_type: str = "LeafClass", **parameters: str) -> dict[str, Any]:
    return {
        "ResponseOption": {"returnType": return_type, "returnComposedObjects": True},
        "AdhocQuery": {"id": query, "Slot": [slot(f"${name}", value) for name, value in parameters.items()]},
    }


def test_zeep_registers_and_queries(served: str) -> None:
    registry = zeep.Client(f"{served}/registry?wsdl").service
    answer = registry["DocumentRegistry_RegisterDocumentSet-b"](
        RegistryObjectList={"_value_1": registry_objects("1.2.826.77.1")}
    )
    assert answer.RegistryErrorList is None
    assert answer.status.endswith(":Success")
    query = stored_query(
        "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        XDSDocumentEntryPatientId=f"'{systems.PATIENT}'",
        XDSDocumentEntryStatus="('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    )
    found = registry.DocumentRegistry_RegistryStoredQuery(**query)
    [entry] = [item["ExtrinsicObject"] for item in found.RegistryObjectList._value_1]
    assert entry.mimeType == "text/plain"
    assert {s.name: s.ValueList.Value for s in entry.Slot}["languageCode"] == ["zh-CN"]
    assert "class" in [c.nodeRepresentation for c in entry.Classification]
    assert [s.ValueList.Value for s in entry.Classification[0].Slot] == [["1.2.3.99"]]
    query["ResponseOption"]["returnType"] = "ObjectRef"
    references = registry.DocumentRegistry_RegistryStoredQuery(**query)
    assert [item["ObjectRef"].id for item in references.RegistryObjectList._value_1] == [entry.id]


def test_zeep_reads_what_is_wrong(served: str) -> None:
    registry = zeep.Client(f"{served}/registry?wsdl").service
    objects = registry_objects("1.2.826.77.2")
    del objects[0]["ExtrinsicObject"]["Slot"][0]
    answer = registry["DocumentRegistry_RegisterDocumentSet-b"](RegistryObjectList={"_value_1": objects})
    assert answer.status.endswith(":Failure")
    [error] = answer.RegistryErrorList.RegistryError
    assert "creationTime" in error.codeContext
    unknown = registry.DocumentRegistry_RegistryStoredQuery(
        **stored_query("urn:uuid:00000000-0000-4000-8000-000000000000")
    )
    assert [e.errorCode for e in unknown.RegistryErrorList.RegistryError] == ["XDSUnknownStoredQuery"]
