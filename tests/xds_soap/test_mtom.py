"""MTOM packages as stacks write them, into an endpoint; what is refused; what the writer makes."""

from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xds_soap import echo
from xds.errors import MalformedMessage, MessageTooLarge, StoreUnavailable
from xds.ports import Include, OutgoingPart
from xds_soap.limits import Limits, Quota
from xds_soap.mime import parse_header
from xds_soap.mtom import PackageReader, included, inlined, length, package, stream
from xds_soap.staging import Staging
from xds_soap.temporary import TemporaryStage

DOCUMENT = b"%PDF-1.7\r\n\x00\xff\r\n--not the boundary\r\n"


def read(content_type: str, *pieces: bytes, limits: Limits | None = None) -> tuple[bytes, Staging]:
    limits = limits or Limits()
    staging = Staging(TemporaryStage)
    reader = PackageReader(parse_header(content_type)[1], staging, limits, Quota(limits.early_parts_total))
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.close()
        return reader.root, staging
    finally:
        reader.release()


def content(staging: Staging) -> dict[str, bytes | None]:
    return {name: document.content for name, document in staging.parts.items()}


# --------------------------------------------------------------------------- what stacks send


def wire(boundary: str, *parts: tuple[str, bytes], newline: str = "\r\n") -> bytes:
    """Parts, each with its header lines as one text, between boundaries."""
    edge = newline.encode()
    body = b"".join(
        b"--" + boundary.encode() + edge + head.replace("\n", newline).encode() + edge * 2 + data + edge
        for head, data in parts
    )
    return body + b"--" + boundary.encode() + b"--" + edge


def variants() -> dict[str, tuple[str, bytes]]:
    def root(cid: str) -> bytes:
        return echo.envelope(echo.body_with(cid))

    axis = "MIMEBoundaryurn_uuid_0FE43E4D025F0BF3DC11582467646812"
    axis_id = "1.urn:uuid:0FE43E4D025F0BF3DC11582467646813@apache.org"
    axis_parts = (
        (
            'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\n'
            "Content-Transfer-Encoding: binary\nContent-ID: <0.urn:uuid:0FE4@apache.org>",
            root(axis_id),
        ),
        (
            f"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\nContent-ID: <{axis_id}>",
            DOCUMENT,
        ),
    )
    cxf_id = "9ce3-1@http%3A%2F%2Fcxf.apache.org%2F"
    wcf_id = "http://tempuri.org/1/635842"
    metro_id = "7d52@example.jaxws.sun.com"
    return {
        "Axis2": (
            f'multipart/related; boundary={axis}; type="application/xop+xml"; start="<0.urn:uuid:0FE4@apache.org>"; '
            f'start-info="application/soap+xml"; action="{echo.ECHO}"',
            wire(axis, *axis_parts),
        ),
        "Axis2, old: start without brackets": (
            f'multipart/related; boundary={axis}; type="application/xop+xml"; start="0.urn:uuid:0FE4@apache.org"; '
            'start-info="application/soap+xml"',
            wire(axis, *axis_parts),
        ),
        "CXF": (
            'multipart/related; type="application/xop+xml"; boundary="uuid:df997b05"; '
            'start="<root.message@cxf.apache.org>"; start-info="application/soap+xml"; charset=UTF-8',
            wire(
                "uuid:df997b05",
                (
                    'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml";\n'
                    "Content-Transfer-Encoding: binary\nContent-ID: <root.message@cxf.apache.org>",
                    root(cxf_id),
                ),
                (f"Content-Type: text/xml\nContent-Transfer-Encoding: binary\nContent-ID: <{cxf_id}>", DOCUMENT),
            ),
        ),
        ".NET WCF": (
            'multipart/related; type="application/xop+xml";start="<http://tempuri.org/0>";'
            'boundary="uuid:8b3f+id=1";start-info="application/soap+xml"',
            wire(
                "uuid:8b3f+id=1",
                (
                    "Content-ID: <http://tempuri.org/0>\nContent-Transfer-Encoding: 8bit\n"
                    'Content-Type: application/xop+xml;charset=utf-8;type="application/soap+xml"',
                    root("http%3A%2F%2Ftempuri.org%2F1%2F635842"),
                ),
                (
                    f"Content-ID: <{wcf_id}>\nContent-Transfer-Encoding: binary\n"
                    "Content-Type: application/octet-stream",
                    DOCUMENT,
                ),
            ),
        ),
        "Metro": (
            'multipart/related;start="<rootpart*2f10@example.jaxws.sun.com>";type="application/xop+xml";'
            'boundary="uuid:2f10";start-info="application/soap+xml;action=\\"urn:test:Echo\\""',
            wire(
                "uuid:2f10",
                (
                    "Content-Id: <rootpart*2f10@example.jaxws.sun.com>\n"
                    'Content-Type: application/xop+xml;charset=utf-8;type="application/soap+xml;action=\\"urn:x\\""\n'
                    "Content-Transfer-Encoding: binary",
                    root(metro_id),
                ),
                (f"Content-Id: <{metro_id}>\nContent-Type: text/xml\nContent-Transfer-Encoding: binary", DOCUMENT),
            ),
        ),
        "Metro, inner quotes not escaped": (
            'multipart/related;start="<rootpart*2f10@example.jaxws.sun.com>";type="application/xop+xml";'
            'start-info="application/soap+xml;action="urn:test:Echo"";boundary="uuid:2f10"',
            wire(
                "uuid:2f10",
                (
                    "Content-Id: <rootpart*2f10@example.jaxws.sun.com>\nContent-Type: application/xop+xml",
                    root(metro_id),
                ),
                (f"Content-Id: <{metro_id}>\nContent-Type: text/xml", DOCUMENT),
            ),
        ),
        "gSOAP": (
            'multipart/related; boundary="==V6q/x3+8=="; type="application/xop+xml"; start="<SOAP-ENV:Envelope>"; '
            'start-info="application/soap+xml; charset=utf-8"',
            wire(
                "==V6q/x3+8==",
                (
                    'Content-Type: application/xop+xml; charset=utf-8; type="application/soap+xml"\n'
                    "Content-Transfer-Encoding: binary\nContent-ID: <SOAP-ENV:Envelope>",
                    root("id1"),
                ),
                ("Content-Type: text/xml\nContent-Transfer-Encoding: binary\nContent-ID: <id1>", DOCUMENT),
            ),
        ),
        "LF line ends": (
            'multipart/related; boundary="b"; start="<r>"',
            wire("b", ("Content-ID: <r>", root("d")), ("Content-ID: <d>", DOCUMENT), newline="\n"),
        ),
        "no start: the first part is the root": (
            "multipart/related; boundary=b",
            wire("b", ("Content-Type: text/xml", root("d")), ("Content-ID: <d>", DOCUMENT)),
        ),
        "the root comes last": (
            'multipart/related; boundary="b"; start="<r>"',
            wire(
                "b", ("Content-ID: <d>", DOCUMENT), ("Content-Type: application/soap+xml\nContent-ID: <r>", root("d"))
            ),
        ),
        "base64 part": (
            'multipart/related; boundary="b"; start="<r>"',
            wire(
                "b",
                ("CONTENT-ID: <r>", root("d")),
                ("content-id: <d>\ncontent-transfer-encoding: BASE64", base64.encodebytes(DOCUMENT)),
            ),
        ),
        "a part that nothing refers to, and one without Content-ID": (
            'multipart/related; boundary="b"; start="<r>"',
            wire(
                "b",
                ("Content-ID: <r>", root("d")),
                ("Content-ID: <other>", b"?"),
                ("Content-Type: text/plain", b"?"),
                ("Content-ID: <d>", DOCUMENT),
            ),
        ),
    }


@pytest.mark.parametrize("name", variants())
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_packages_of_other_stacks_arrive_whole(name: str, step: int) -> None:
    content_type, data = variants()[name]
    served = echo.served()
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    answer = served.endpoint.handle("/repository", content_type, pieces)
    assert answer.status == 200, answer.content
    [seen] = served.actor.seen
    [document] = seen.documents
    assert (document.content, document.hash, document.size) == (DOCUMENT, echo.sha1(DOCUMENT), len(DOCUMENT))
    assert len(served.store.left) == 1  # what nothing refers to is not kept


def test_documents_inline_and_included_may_be_mixed() -> None:
    inline = base64.b64encode(b"inline").decode()
    body = echo.body_with("d").replace("</x:Echo>", f"<x:Document>{inline}</x:Document></x:Echo>")
    data, content_type = echo.package(echo.envelope(body), [("d", DOCUMENT)])
    served = echo.served()
    assert served.endpoint.handle("/repository", content_type, data).status == 200
    assert [document.content for document in served.actor.seen[0].documents] == [DOCUMENT, b"inline"]


def test_a_gzipped_package_is_read() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", DOCUMENT)])
    served = echo.served()
    packed = gzip.compress(data)
    answer = served.endpoint.handle("/repository", content_type, packed, headers={"content-encoding": "gzip"})
    assert answer.status == 200
    assert served.actor.seen[0].documents[0].content == DOCUMENT
    cut = served.endpoint.handle("/repository", content_type, packed[:-9], headers={"content-encoding": "gzip"})
    assert cut.status == 400
    assert len(served.actor.seen) == 1


def test_two_elements_may_include_the_same_part() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d", "d")), [("d", DOCUMENT)])
    served = echo.served()
    assert served.endpoint.handle("/repository", content_type, data).status == 200
    assert len(served.actor.seen[0].documents) == 2


# --------------------------------------------------------------------------- what is refused

START = 'multipart/related; boundary="b"; start="<r>"'
ROOT = ("Content-ID: <r>", b"<a/>")


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        pytest.param("multipart/related", wire("b", ROOT), id="no boundary in the header"),
        pytest.param('multipart/related; boundary="c"', wire("b", ROOT), id="another boundary in the body"),
        pytest.param('multipart/related; boundary="b"; start="<x>"', wire("b", ROOT), id="start names no part"),
        pytest.param(START, wire("b", ROOT)[:-6], id="cut before the end"),
        pytest.param(START, wire("b", ROOT, ("Content-ID: <d>", b"1"), ("Content-ID: <d>", b"2")), id="an id twice"),
        pytest.param(START, wire("b", ("Content-ID: <r>\nContent-Type: image/png", b"x")), id="the root is no XML"),
        pytest.param(
            START, wire("b", ROOT, ("Content-ID: <d>\nContent-Transfer-Encoding: base64", b"QUJ")), id="base64 cut"
        ),
        pytest.param(
            START, wire("b", ROOT, ("Content-ID: <d>\nContent-Transfer-Encoding: x-zip", b"QUJ")), id="unknown encoding"
        ),
    ],
)
def test_a_package_that_would_lose_data_is_malformed_and_leaves_nothing(content_type: str, data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read(content_type, data)
    served = echo.served()
    answer = served.endpoint.handle("/repository", content_type, data)
    assert answer.status == 400
    assert b"<s:Value>s:Sender</s:Value>" in answer.content
    assert served.store.left == []
    assert served.actor.seen == []


@pytest.mark.parametrize("action", [echo.ECHO, "urn:test:Unknown"])
def test_what_was_staged_is_discarded_when_the_envelope_is_refused(action: str) -> None:
    body = echo.body_with("missing") if action == echo.ECHO else echo.body_with("d")
    data, content_type = echo.package(echo.envelope(body, action=action), [("d", DOCUMENT)])
    served = echo.served()
    assert served.endpoint.handle("/repository", content_type, data).status == 400
    # documents behind an envelope that nobody answers are not even staged
    assert len(served.store.opened) == (1 if action == echo.ECHO else 0)
    assert served.store.left == []


def test_what_was_staged_is_discarded_when_the_body_breaks_off() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", DOCUMENT)])

    def breaking() -> object:
        yield data[:-20]
        raise ConnectionResetError

    served = echo.served()
    with pytest.raises(ConnectionResetError):
        served.endpoint.handle("/repository", content_type, breaking())  # type: ignore[arg-type]
    assert len(served.store.opened) == 1
    assert served.store.left == []


LATE = wire("b", ("Content-ID: <d>", b"x" * 1000), ROOT)


def test_parts_before_the_root_have_a_quota_of_their_own() -> None:
    assert content(read(START, LATE, limits=Limits(early_parts=1000))[1]) == {"d": b"x" * 1000}
    with pytest.raises(MessageTooLarge):
        read(START, LATE, limits=Limits(early_parts=999))


def test_parts_before_the_root_share_a_quota_over_all_requests() -> None:
    limits, quota = Limits(), Quota(1500)

    def reader() -> PackageReader:
        return PackageReader(parse_header(START)[1], Staging(TemporaryStage), limits, quota)

    first, second = reader(), reader()
    first.feed(LATE[:-30])
    with pytest.raises(StoreUnavailable):
        second.feed(LATE)
    second.release()
    first.release()
    assert quota.used == 0
    third = reader()
    third.feed(LATE)
    third.close()


def test_the_root_part_is_limited() -> None:
    big = wire("b", ("Content-ID: <r>", b"<a>" + b"x" * 5000 + b"</a>"))
    with pytest.raises(MessageTooLarge):
        read(START, big, limits=Limits(envelope=5000))
    served = echo.served(limits=Limits(envelope=5000))
    assert served.endpoint.handle("/repository", START, big).status == 413


def test_the_number_of_parts_is_limited() -> None:
    with pytest.raises(MessageTooLarge):
        read(START, wire("b", ROOT, *[(f"Content-ID: <{n}>", b"") for n in range(10)]), limits=Limits(parts=10))


# --------------------------------------------------------------------------- the writer


def part(number: int, data: bytes, *, size: int | None = -1, kind: str = "text/xml") -> OutgoingPart:
    pieces = [data[i : i + 5] for i in range(0, len(data), 5)]
    return OutgoingPart(f"{number}@test", kind, pieces, len(data) if size == -1 else size)


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=60).filter(lambda d: b"--xds-" not in d), max_size=3))
def test_what_is_written_is_read_again(documents: list[bytes]) -> None:
    parts = [part(number, data) for number, data in enumerate(documents)]
    kind, pieces = package([b"<root/>"], parts)
    data = b"".join(stream(pieces))
    assert length(pieces) == len(data)
    root, staging = read(kind, data)
    assert root == b"<root/>"
    assert list(content(staging).values()) == documents


def test_the_length_is_unknown_when_a_part_does_not_know_its_size() -> None:
    _, pieces = package([b"<root/>"], [part(1, b"abc", size=None)])
    assert length(pieces) is None
    assert b"\r\n\r\nabc\r\n--" in b"".join(stream(pieces))


@pytest.mark.parametrize("size", [2, 4])
def test_a_document_that_does_not_have_its_size_breaks_the_transfer(size: int) -> None:
    _, pieces = package([b"<root/>"], [part(1, b"abc", size=size)])
    with pytest.raises(StoreUnavailable):
        list(stream(pieces))


@given(st.binary(max_size=50))
def test_without_mtom_a_document_is_canonical_base64(data: bytes) -> None:
    pieces = list(inlined([b"<d>", Include(part(1, data)), b"</d>"]))
    text = b"".join(stream(pieces))
    assert text == b"<d>" + base64.b64encode(data) + b"</d>"
    assert length(pieces) == len(text)


def test_an_include_is_percent_coded_where_a_url_needs_it() -> None:
    odd = OutgoingPart("a%b@c", "text/xml", [], 0)
    assert b"".join(included([Include(odd)])) == b'<xop:Include href="cid:a%25b@c"/>'


@pytest.mark.parametrize("kind", ["text/xml\r\nX: y", "nonsense", "", "text/xml; a=b\r\n"])
def test_a_mime_type_that_is_none_does_not_reach_the_part_headers(kind: str) -> None:
    _, pieces = package([b""], [part(1, b"", kind=kind)])
    assert b"\r\nContent-Type: application/octet-stream\r\n" in b"".join(stream(pieces))


def test_a_mime_type_keeps_its_parameters() -> None:
    _, pieces = package([b""], [part(1, b"", kind='text/plain; charset="UTF-8"')])
    assert b'\r\nContent-Type: text/plain; charset="UTF-8"\r\n' in b"".join(stream(pieces))


@pytest.mark.parametrize("name", ["a b", "<a>", 'a"', "a\r\nb", "ü", ""])
def test_a_content_id_that_would_break_the_package_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Content-ID"):
        package([b""], [OutgoingPart(name, "text/xml", [], 0)])
