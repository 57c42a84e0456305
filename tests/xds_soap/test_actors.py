"""The whole way: SOAP in, a real registry and repository on a real store, SOAP out."""

from __future__ import annotations

import base64
import os
import random
import re
import threading
from pathlib import Path

import httpx
import pytest
from lxml import etree

from tests.xds_soap import echo
from tests.xds_soap.hosts import running
from tests.xds_soap.systems import PATIENT, entry, platform, submission_set
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.clients.parameters import adhoc_query
from xds.ebxml import query, retrieve, rs
from xds.metadata.requests import DocumentRequest
from xds.metadata.submission import build_submission
from xds.ports import OutgoingPart
from xds.vocab.ebrim import Status
from xds.vocab.queries import FIND_DOCUMENTS
from xds_soap import SoapApp, SoapExchange

SAMPLES = Path(os.environ.get("XDS_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "samples" / "swiss-epr"
PREFIXES = (
    'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
    'xmlns:xds="urn:ihe:iti:xds-b:2007" xmlns:xop="http://www.w3.org/2004/08/xop/include" '
    'xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"'
)
ITI_41 = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
ITI_42 = "urn:ihe:iti:2007:RegisterDocumentSet-b"


def declared(body: bytes) -> str:
    """A body of ours as a message of its own, with its prefixes."""
    return re.sub(r"^<([\w:]+)", rf"<\1 {PREFIXES}", body.decode(), count=1)


@pytest.mark.parametrize("size", [0, 1, 13_000, 3_000_000])
def test_a_document_is_submitted_found_and_retrieved(tmp_path: Path, size: int) -> None:
    document = os.urandom(size)
    with platform(tmp_path) as system, running(SoapApp(system.endpoint)) as (host, port):
        base = f"http://{host}:{port}"
        with SoapExchange(f"{base}/registry") as registry, SoapExchange(f"{base}/repository") as repository:
            sent = entry()
            assert DocumentSource(repository).submit(submission_set(), [(sent, document)]).errors == ()
            consumer = DocumentConsumer(registry, repository)
            [found] = consumer.find_documents(PATIENT)
            assert (found.entry_uuid, found.unique_id) == (sent.entry_uuid, sent.unique_id)
            assert (found.size, found.hash) == (size, echo.sha1(document))
            with consumer.retrieve(found) as received:
                assert received.read() == document
                assert received.mime_type == "text/plain"


def test_a_very_large_answer_arrives_whole(tmp_path: Path) -> None:
    with platform(tmp_path) as system, running(SoapApp(system.endpoint)) as (host, port):
        sent = [entry(hash="0" * 40, size=1, repository_unique_id="1.2.3") for _ in range(600)]
        system.registry.register(build_submission(submission_set(), sent))
        with SoapExchange(f"http://{host}:{port}/registry") as registry:
            found = DocumentConsumer(registry, registry).find_documents(PATIENT)
        assert {o.entry_uuid for o in found} == {o.entry_uuid for o in sent}


def test_submissions_of_several_clients_at_once_are_all_stored(tmp_path: Path) -> None:
    with platform(tmp_path) as system, running(SoapApp(system.endpoint, threads=2)) as (host, port):
        with SoapExchange(f"http://{host}:{port}/repository") as repository:
            source = DocumentSource(repository)

            def submit() -> None:
                for _ in range(5):
                    source.submit(submission_set(), [(entry(), b"document")])

            threads = [threading.Thread(target=submit) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(system.consumer.find_documents(PATIENT)) == 20


def test_plain_in_is_plain_out_also_for_documents(tmp_path: Path) -> None:
    document = b"inline\r\n\x00"
    with platform(tmp_path) as system:
        sent = entry()
        assert system.source.submit(submission_set(), [(sent, document)], mtom=False).errors == ()
        request = (
            f"<xds:RetrieveDocumentSetRequest {PREFIXES}><xds:DocumentRequest><xds:RepositoryUniqueId>"
            f"{system.repository.unique_id}</xds:RepositoryUniqueId><xds:DocumentUniqueId>{sent.unique_id}"
            "</xds:DocumentUniqueId></xds:DocumentRequest></xds:RetrieveDocumentSetRequest>"
        )
        body = echo.envelope(request, action="urn:ihe:iti:2007:RetrieveDocumentSet")
        reply = system.endpoint.handle("/repository", echo.PLAIN_TYPE, body)
    assert (reply.header("content-type") or "").startswith("application/soap+xml")
    text = etree.fromstring(reply.content).findtext(".//{urn:ihe:iti:xds-b:2007}Document")
    assert base64.b64decode(text or "") == document


@pytest.mark.parametrize("mtom", [False, True])
def test_what_the_registry_refuses_is_answered_as_it_was_asked(tmp_path: Path, mtom: bool) -> None:
    submission = build_submission(submission_set(), [entry()])
    with platform(tmp_path, patients="known") as system:
        body = echo.envelope(declared(rs.encode_submit_objects(submission)), action=ITI_42)
        data, content_type = echo.package(body) if mtom else (body, echo.PLAIN_TYPE)
        reply = system.endpoint.handle("/registry", content_type, data)
    assert reply.status == 200
    assert (reply.header("content-type") or "").startswith("multipart/related" if mtom else "application/soap+xml")
    assert b"ResponseStatusType:Failure" in reply.content
    assert b'errorCode="XDS' in reply.content


def test_a_refused_submission_leaves_no_file(tmp_path: Path) -> None:
    sent = entry(size=1)
    submission = build_submission(submission_set(), [sent])
    document = os.urandom(1_000_000)
    part = OutgoingPart("d@test", "text/plain", [document], len(document))
    body = retrieve.to_mtom(retrieve.encode_provide(submission, {sent.entry_uuid: part}))
    data, content_type = echo.package(echo.envelope(declared(body), action=ITI_41), [("d@test", document)])
    with platform(tmp_path) as system:
        reply = system.endpoint.handle("/repository", content_type, data)
        assert b"XDSRepositoryMetadataError" in reply.content
        cut = system.endpoint.handle("/repository", content_type, data[:-10])
        assert cut.status == 400
        files = [path for path in (tmp_path / "documents").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert files == []


# --------------------------------------------------------------------------- damaged messages


def damaged(message: bytes, chance: random.Random) -> bytes:
    """The message with a value emptied, doubled or replaced, bytes lost or inserted, at up to three places."""
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(message))
        value = chance.choice(list(re.finditer(rb'(?<=")[^"<]*(?=")|(?<=>)[^<>]+(?=<)', message)))
        inserted = chance.choice([b"", b"x", b" ", b"0", b"'", b"(", b"^", b"&amp;", b"|", b"urn:uuid:", value[0] * 2])
        message = chance.choice(
            [
                message[:place] + message[place + chance.randint(1, 40) :],
                message[:place] + chance.randbytes(2) + message[place:],
                *[message[: value.start()] + inserted + message[value.end() :]] * 3,
            ]
        )
    return message


def messages(unique_id: str, repository: str) -> list[tuple[str, str, bytes]]:
    """Path, Content-Type and body of one request of each kind."""
    sent = entry(unique_id=unique_id, size=4, hash=echo.sha1(b"text"), repository_unique_id=repository)
    submission = build_submission(submission_set(), [sent])
    part = OutgoingPart("d@test", "text/plain", [b"text"], 4)
    provide = declared(retrieve.to_mtom(retrieve.encode_provide(submission, {sent.entry_uuid: part})))
    data, content_type = echo.package(echo.envelope(provide, action=ITI_41), [("d@test", b"text")])
    find = adhoc_query(
        FIND_DOCUMENTS,
        {"document_entry_patient_id": PATIENT, "document_entry_status": Status.APPROVED},
        return_type="LeafClass",
    )
    fetch = retrieve.encode_retrieve_request([DocumentRequest(repository, unique_id)])
    plain = [
        ("/registry", ITI_42, rs.encode_submit_objects(submission)),
        ("/registry", "urn:ihe:iti:2007:RegistryStoredQuery", query.encode_request(find)),
        ("/repository", "urn:ihe:iti:2007:RetrieveDocumentSet", fetch),
    ]
    return [
        ("/repository", content_type, data),
        *[(path, echo.PLAIN_TYPE, echo.envelope(declared(body), action=action)) for path, action, body in plain],
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_message_is_answered_and_never_a_bug(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    statuses = set()
    with platform(tmp_path) as system:
        for number in range(40):
            for path, content_type, body in messages(f"1.2.3.{seed}.{number}", system.repository.unique_id):
                reply = system.endpoint.handle(path, content_type, damaged(body, chance))
                statuses.add(reply.status)
                assert b"internal error" not in reply.content, body
    assert statuses <= {200, 400, 500}
    assert 200 in statuses
    assert caplog.records == []


# --------------------------------------------------------------------------- messages of other vendors

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the captures are not beside the checkout")


def capture(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def package_of(raw: bytes) -> tuple[str, bytes]:
    """Content-Type and body of a capture with HTTP headers.

    Published with its lines cut and its parts pretty-printed: CRLF became LF, so Content-Length does not fit; the
    header kept the boundary and root of the stack behind a proxy, the body those of the proxy; and something else was
    pasted behind the closing boundary. Boundary and start are taken from the body; the rest is read as it is.
    """
    head, _, body = raw.partition(b"\n\n")
    [kind] = re.findall(rb"^Content-Type: (.*)$", head, re.MULTILINE)
    [boundary] = re.findall(rb"\A--(.*)\n", body)
    root = re.findall(rb"^Content-ID: (<.*>)$", body, re.MULTILINE)[0]
    kind = re.sub(rb'boundary="[^"]*"', b'boundary="' + boundary + b'"', kind)
    kind = re.sub(rb'start="[^"]*"', b'start="' + root + b'"', kind)
    return kind.decode(), body


@needs_samples
def test_a_captured_submission_is_read_with_its_document(tmp_path: Path) -> None:
    kind, body = package_of(capture("ITI-41_request_raw.xml"))
    # the prefix lost its declaration when the header was cut
    wsse = b"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    body = body.replace(b"<wsse:Security>", b'<wsse:Security xmlns:wsse="' + wsse + b'">', 1)
    with platform(tmp_path) as system:
        reply = system.endpoint.handle("/repository", kind, body)
        assert reply.status == 200, reply.content
        assert (reply.header("content-type") or "").startswith("multipart/related")
        assert b"ProvideAndRegisterDocumentSet-bResponse</wsa:Action>" in reply.content
        assert b"<wsa:RelatesTo>urn:uuid:073be420-d838-47c9-b35f-c59af5b147a2</wsa:RelatesTo>" in reply.content
        assert b"RegistryResponse" in reply.content
        assert system.endpoint.metrics.tolerated("security_header") == 1


@needs_samples
@pytest.mark.parametrize(
    ("name", "path", "message_id", "element"),
    [
        (
            "ITI-18_request_raw.xml",
            "/registry",
            b"urn:uuid:31D7E4B5-C117-481E-9EE1-F32849E81BF8",
            b"AdhocQueryResponse",
        ),
        (
            "ITI-43_request_raw.xml",
            "/repository",
            b"urn:uuid:1EB10F67-6562-46D5-9B6B-5DC42EB2B4A6",
            b"RetrieveDocumentSetResponse",
        ),
    ],
)
def test_captured_requests_are_answered(
    tmp_path: Path, name: str, path: str, message_id: bytes, element: bytes
) -> None:
    with platform(tmp_path) as system:
        reply = system.endpoint.handle(path, echo.PLAIN_TYPE, capture(name))
    assert reply.status == 200, reply.content
    assert b"<wsa:RelatesTo>" + message_id + b"</wsa:RelatesTo>" in reply.content
    assert element in reply.content


def client_of(headers: dict[str, str], body: bytes, path: str) -> SoapExchange:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, content=body))
    return SoapExchange(f"http://peer.example{path}", transport=transport)


@needs_samples
def test_a_captured_response_to_a_submission_is_read() -> None:
    kind, body = package_of(capture("ITI-41_response_raw.xml"))
    source = DocumentSource(client_of({"Content-Type": kind}, body, "/repository"))
    assert source.submit(submission_set(), [(entry(), b"x")]).errors == ()


@needs_samples
def test_a_captured_query_response_is_read() -> None:
    registry = client_of({"Content-Type": echo.PLAIN_TYPE}, capture("ITI-18_response_raw.xml"), "/registry")
    found = DocumentConsumer(registry).query("GetDocuments", document_entry_unique_id="1.2.3")
    assert [each.element for each in found.objects][:1] == ["ExtrinsicObject"]
    assert found.document_entries[0].mime_type == "application/fhir+json"


@needs_samples
def test_a_captured_retrieve_response_is_read() -> None:
    envelope = capture("ITI-43_response_raw.xml")
    # only the envelope was published; its document is put beside it
    [part_id] = re.findall(rb'href="cid:([^"]*)"', envelope)
    data, kind = echo.package(envelope.strip(), [(part_id.decode(), b"%PDF")])
    consumer = DocumentConsumer(client_of({}, b"", "/registry"), client_of({"Content-Type": kind}, data, "/repository"))
    request = DocumentRequest(
        "1.3.6.1.4.1.21367.2017.2.3.54",
        "1.3.6.1.4.1.21367.2017.2.1.75.20200922130227623",
        "urn:oid:1.3.6.1.4.1.21367.2017.2.6.19",
    )
    document = consumer.retrieve(request)
    assert (document.read(), document.mime_type) == (b"%PDF", "application/pdf")
    assert document.home_community_id == request.home_community_id
