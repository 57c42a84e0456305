"""What was captured on the wire is taken apart however much of the HTTP request is there."""

from __future__ import annotations

import random

import pytest

from tests.evidence import messages
from xds.errors import MalformedMessage, UnsupportedMessage
from xds_soap.capture import read, validate

DOCUMENT = b"--mark\r\n\xff\x00 not the boundary\r\n"
PATIENT = messages.patient(1)
BODY = messages.iti41("1.2.3", PATIENT, DOCUMENT)
BOUNDARY = BODY.partition(b"\r\n")[0].removeprefix(b"--").decode()
TYPE = f'multipart/related; boundary="{BOUNDARY}"; type="application/xop+xml"'
HEADERS = f"Host: repository.example\r\nContent-Type: {TYPE}\r\n".encode()
LINE = b"POST /repository HTTP/1.1\r\n"


def chunked(body: bytes, size: int = 700) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        BODY,
        b"\r\n" + BODY,
        LINE + HEADERS + b"\r\n" + BODY,
        HEADERS + b"\r\n" + BODY,
        (LINE + HEADERS + b"\r\n").replace(b"\r\n", b"\n") + BODY,
        LINE + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
        LINE + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + BODY,  # the tool has joined the chunks
    ],
    ids=["sniffed", "empty line first", "request", "headers", "LF", "chunked", "chunks joined"],
)
def test_a_package_is_read_with_its_document(data: bytes) -> None:
    (part,) = (read(data).parts or {}).values()
    assert part.size == len(DOCUMENT)
    assert validate(data) == []


def test_the_content_type_may_be_given() -> None:
    assert validate(b"preamble\r\n" + BODY, content_type=TYPE) == []


def test_plain_xml_is_no_package() -> None:
    xml = messages.iti18(PATIENT)
    head = b'POST / HTTP/1.1\r\nContent-Type: application/soap+xml; charset="utf-8"\r\n\r\n'
    assert read(xml).parts is read(head + xml).parts is None
    assert validate(xml) == validate(head + xml) == []


def test_the_bytes_of_the_document_are_compared_with_the_metadata() -> None:
    wrong = b'<rim:Slot name="size"><rim:ValueList><rim:Value>6</rim:Value></rim:ValueList></rim:Slot>'
    where = b'<rim:Slot name="creationTime">'
    assert where in BODY
    (finding,) = validate(BODY.replace(where, wrong + where))
    assert finding.code == "XDSRepositoryMetadataError"
    assert "size is 6" in finding.message


def test_an_include_without_its_part_is_found() -> None:
    other = BODY.replace(b"Content-ID: <doc@", b"Content-ID: <other@")
    assert other != BODY
    assert [finding.attribute for finding in validate(other)] == ["Document"]


@pytest.mark.parametrize(
    "data",
    [
        BODY[:-30],
        BODY[:400],
        LINE + HEADERS,
        LINE + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY)[:-200],
        b"",
        b"\x1f\x8b\x08",
    ],
    ids=["cut off", "no document", "head alone", "chunks cut off", "empty", "gzip"],
)
def test_what_was_not_captured_whole_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        validate(data)


def test_a_compressed_body_is_told() -> None:
    with pytest.raises(UnsupportedMessage, match="compressed"):
        validate(LINE + HEADERS + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08")


def test_documents_of_any_size_may_stand_before_the_metadata() -> None:
    head = b"--m\r\nContent-ID: <doc@evidence>\r\n\r\n"
    root = b"\r\n--m\r\nContent-Type: application/xop+xml\r\nContent-ID: <root>\r\n\r\n"
    data = head + bytes(33 * 2**20) + root + messages.iti41_envelope("1.2.3", PATIENT) + b"\r\n--m--\r\n"
    assert validate(data, content_type='multipart/related; boundary=m; start="<root>"') == []


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_capture_gives_findings_or_says_that_it_cannot_be_read(seed: int) -> None:
    chance = random.Random(seed)
    outcomes: set[bool | None] = set()
    for _ in range(60):
        data = bytearray(chance.choice((BODY, messages.iti18(PATIENT), LINE + HEADERS + b"\r\n" + BODY)))
        at = chance.randrange(len(data))
        data[at : at + chance.choice((1, 1, 20))] = bytes(chance.choice(b"<>\"'&/ -\r\n01^") for _ in range(1))
        try:
            outcomes.add(bool(validate(bytes(data), notes=[])))
        except (MalformedMessage, UnsupportedMessage):
            outcomes.add(None)
    assert None in outcomes
    assert outcomes & {True, False}
