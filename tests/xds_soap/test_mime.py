"""The MIME layer: header parameters as stacks write them, multipart streams cut anywhere, transfer encodings."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from xds.errors import MalformedMessage, MessageTooLarge
from xds_soap.mime import MultipartSplitter, Write, content_id, parse_header, parse_part_headers, transfer_decoder


class Collected:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.parts: list[tuple[Mapping[str, str], bytes]] = []
        self.ended = 0

    def begin_part(self, headers: Mapping[str, str]) -> Write:
        self.parts.append((headers, b""))
        return self._write

    def _write(self, data: bytes | memoryview) -> None:
        headers, content = self.parts[-1]
        self.parts[-1] = (headers, content + bytes(data))

    def end_part(self) -> None:
        self.ended += 1


def split(*pieces: bytes, boundary: str = "b", **limits: int) -> list[tuple[Mapping[str, str], bytes]]:
    sink = Collected()
    splitter = MultipartSplitter(boundary, sink, **limits)
    for piece in pieces:
        splitter.feed(piece)
    splitter.close()
    assert sink.ended == len(sink.parts)
    return sink.parts


# --------------------------------------------------------------------------- header parameters

METRO_ESCAPED = (
    'multipart/related; start="<rootpart*2f>"; type="application/xop+xml"; boundary="uuid:2f"; '
    'start-info="application/soap+xml;action=\\"urn:ihe:iti:2007:RetrieveDocumentSet\\""'
)
METRO_UNESCAPED = (
    'multipart/related;start="<rootpart*2f>";type="application/xop+xml";'
    'start-info="application/soap+xml;action="urn:ihe:iti:2007:RetrieveDocumentSet"";boundary="uuid:2f"'
)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (
            'multipart/related; boundary="a b"; start="<r@x>"',
            "multipart/related",
            {"boundary": "a b", "start": "<r@x>"},
        ),
        ("Multipart/Related;BOUNDARY=abc;Start=r@x", "multipart/related", {"boundary": "abc", "start": "r@x"}),
        (
            "multipart/related; boundary=MIMEBoundaryurn_uuid_1; x",
            "multipart/related",
            {"boundary": "MIMEBoundaryurn_uuid_1"},
        ),
        ('multipart/related; boundary="==a/b+c=="; x="y"', "multipart/related", {"boundary": "==a/b+c=="}),
        (
            'application/xop+xml; charset=UTF-8; type="application/soap+xml";',
            "application/xop+xml",
            {"charset": "UTF-8"},
        ),
        (METRO_ESCAPED, "multipart/related", {"boundary": "uuid:2f", "start": "<rootpart*2f>"}),
        (METRO_UNESCAPED, "multipart/related", {"boundary": "uuid:2f", "start": "<rootpart*2f>"}),
        ('multipart/related; boundary="never closed; start=<r>', "multipart/related", {"start": "<r>"}),
        ('multipart/related; name="a;boundary=no"; boundary="yes"', "multipart/related", {"boundary": "yes"}),
        ("application/soap+xml; charset=utf-8; action=urn:x", "application/soap+xml", {"action": "urn:x"}),
        ("", "", {}),
        (";;;", "", {}),
    ],
)
def test_a_content_type_is_read_as_stacks_write_it(value: str, kind: str, expected: dict[str, str]) -> None:
    found, parameters = parse_header(value)
    assert found == kind
    assert expected.items() <= parameters.items()


@given(st.text(max_size=200))
def test_no_content_type_raises(value: str) -> None:
    kind, parameters = parse_header(value)
    assert kind == kind.strip()
    assert all(name == name.lower() for name in parameters)


@pytest.mark.parametrize("value", ["<a@b>", " a@b ", "< a@b >", "a@b"])
def test_a_content_id_is_compared_without_brackets_and_blanks(value: str) -> None:
    assert content_id(value) == "a@b"


def test_folded_and_repeated_part_headers_are_joined_and_the_first_counts() -> None:
    block = b"Content-Type: application/xop+xml;\r\n\tcharset=UTF-8\r\ncontent-ID : <a>\r\nContent-Id: <b>"
    assert parse_part_headers(block) == {"content-type": "application/xop+xml; charset=UTF-8", "content-id": "<a>"}


def test_a_part_header_without_colon_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        parse_part_headers(b"Content-Type")


# --------------------------------------------------------------------------- the cut

ONE = b"--b\r\nA: 1\r\n\r\nx\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("stream", "contents"),
    [
        pytest.param(ONE, [b"x"], id="plain"),
        pytest.param(b"preamble\r\n" + ONE, [b"x"], id="preamble"),
        pytest.param(b"\r\n" + ONE, [b"x"], id="leading line end"),
        pytest.param(b"see --b\r\n" + ONE, [b"x"], id="boundary inside the preamble's line"),
        pytest.param(b"--bb\r\n--b- \r\n" + ONE, [b"x"], id="lines in the preamble that only begin like it"),
        pytest.param(ONE + b"epilogue\r\n--b\r\n\r\nno part", [b"x"], id="epilogue"),
        pytest.param(ONE.rstrip(), [b"x"], id="no line end after the closing boundary"),
        pytest.param(ONE.replace(b"\r\n", b"\n"), [b"x"], id="LF only"),
        pytest.param(b"--b\r\nA: 1\n\nx\r\n--b--", [b"x"], id="LF in the headers only"),
        pytest.param(b"--b \t\r\nA: 1\r\n\r\nx\r\n--b \r\n\r\ny\r\n--b-- ", [b"x", b"y"], id="blanks after boundaries"),
        pytest.param(b"--b\r\n\r\nx\r\n--b--", [b"x"], id="no headers"),
        pytest.param(b"--b\r\nA: 1\r\n\r\n\r\n--b--", [b""], id="empty content"),
        pytest.param(b"--b\r\nA: 1\r\n\r\n--b--", [b""], id="no content at all"),
        pytest.param(b"--b\r\nA: 1\r\n\r\n--b\r\nA: 2\r\n\r\ny\r\n--b--", [b"", b"y"], id="no content, then more"),
        pytest.param(b"--b\r\n\r\n\r\n\r\n\r\n--b--", [b"\r\n\r\n"], id="content of line ends"),
        pytest.param(b"--b\r\n\r\nx\r\r\n--b--", [b"x\r"], id="content ends with CR"),
        pytest.param(b"--b\n\nx\r\n--b--", [b"x\r"], id="LF only, content ends with CR"),
        pytest.param(b"--b\r\n\r\nx\n--b\r\ny\r\n--b--", [b"x\n--b\r\ny"], id="LF boundary in CRLF stream is content"),
        pytest.param(b"--b\r\n\r\nx\r\n--bb\r\ny\r\n--b--", [b"x\r\n--bb\r\ny"], id="longer line is content"),
        pytest.param(b"--b\r\n\r\n--bb\r\n--b--", [b"--bb"], id="longer line at the start is content"),
        pytest.param(b"--b\r\n\r\nx\r\n--b-\r\n--b--", [b"x\r\n--b-"], id="half a closing boundary is content"),
        pytest.param(b"--b--", [], id="no part"),
    ],
)
def test_parts_are_cut_out_exactly(stream: bytes, contents: list[bytes]) -> None:
    assert [content for _, content in split(stream)] == contents
    one_by_one = [stream[i : i + 1] for i in range(len(stream))]
    assert split(*one_by_one) == split(stream)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<Envelope/>", id="no boundary"),
        pytest.param(b"--c\r\n\r\nx\r\n--c--", id="another boundary"),
        pytest.param(b"--b\r\nA: 1", id="cut in the headers"),
        pytest.param(b"--b\r\nA: 1\r\n\r\n", id="cut after the headers"),
        pytest.param(b"--b\r\nA: 1\r\n\r\nx", id="cut in the content"),
        pytest.param(b"--b\r\nA: 1\r\n\r\nx\r\n", id="closing boundary missing"),
        pytest.param(b"--b\r\nA: 1\r\n\r\nx\r\n--b", id="cut in the closing boundary"),
        pytest.param(b"--b\r\nA: 1\r\n\r\nx\r\n--b-", id="cut before the last hyphen"),
        pytest.param(b"--b\r\nA: 1\r\n\r\nx\r\n--b\r\n", id="a part announced"),
        pytest.param(b"--b\r\nA\r\n\r\nx\r\n--b--", id="a header without colon"),
        pytest.param(b"--b\r\n\r\nx\r\n--b" + b" " * 5000, id="endless blanks after a boundary"),
        pytest.param(b"p" * 70_000, id="endless preamble"),
    ],
)
def test_a_stream_that_would_lose_data_is_malformed(stream: bytes) -> None:
    with pytest.raises(MalformedMessage):
        split(stream)
    with pytest.raises(MalformedMessage):
        split(*[stream[i : i + 7] for i in range(0, len(stream), 7)])


@pytest.mark.parametrize("boundary", ["", "x" * 257])
def test_a_boundary_has_a_length(boundary: str) -> None:
    with pytest.raises(MalformedMessage):
        MultipartSplitter(boundary, Collected())


def test_the_headers_of_a_part_are_limited() -> None:
    with pytest.raises(MessageTooLarge):
        split(b"--b\r\nA: " + b"1" * 70_000 + b"\r\n\r\nx\r\n--b--")
    with pytest.raises(MessageTooLarge):
        split(b"--b\r\nA: ", b"1" * 40_000, b"1" * 40_000)


def test_the_number_of_parts_is_limited() -> None:
    many = b"--b\r\n\r\n\r\n" * 3 + b"--b--"
    assert len(split(many, max_parts=3)) == 3
    with pytest.raises(MessageTooLarge):
        split(many, max_parts=2)


# bytes that look like what the splitter looks for
NASTY = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"--edg", b"\r\n--edg", b"\n--edge", b"\r\n--edgex", b" ", b"x"]
    )
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)
# a document must not hold the delimiter itself, neither where it begins nor inside
DOCUMENT = NASTY.filter(lambda d: b"\n--edge" not in d.replace(b"--edgex", b"") and not d.startswith(b"--edge"))


def multipart(documents: list[bytes]) -> bytes:
    parts = b"".join(b"--edge\r\nContent-ID: <%d>\r\n\r\n%b\r\n" % (i, d) for i, d in enumerate(documents))
    return parts + b"--edge--\r\n"


@given(st.lists(DOCUMENT, min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=8))
@example([b"\r\n--edg", b""], [30, 31, 32])
def test_a_stream_cut_anywhere_gives_the_same_parts(documents: list[bytes], cuts: list[int]) -> None:
    stream = multipart(documents)
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]
    found = split(*pieces, boundary="edge")
    assert [content for _, content in found] == documents
    assert [headers["content-id"] for headers, _ in found] == [f"<{i}>" for i in range(len(documents))]


@given(st.lists(DOCUMENT, min_size=1, max_size=4))
def test_another_multipart_parser_finds_the_same(documents: list[bytes]) -> None:
    stream = multipart(documents)
    seen: list[bytes] = []

    def data(chunk: bytes, start: int, end: int) -> None:
        seen[-1] += chunk[start:end]

    parser = MultipartParser(b"edge", {"on_part_begin": lambda: seen.append(b""), "on_part_data": data})
    parser.write(stream)
    assert [content for _, content in split(stream, boundary="edge")] == seen


@given(st.binary(max_size=300))
def test_garbage_is_parts_or_malformed(data: bytes) -> None:
    with suppress(MalformedMessage):
        split(data, boundary="b")


# --------------------------------------------------------------------------- transfer encodings


def decoded(encoding: str, *pieces: bytes) -> bytes:
    out: list[bytes] = []
    decoder = transfer_decoder(encoding, lambda data: out.append(bytes(data)))
    for piece in pieces:
        decoder.write(piece)
    decoder.finish()
    return b"".join(out)


@pytest.mark.parametrize("encoding", ["", "binary", "8bit", "7bit", " Binary ", "8BIT"])
def test_identity_encodings_change_nothing(encoding: str) -> None:
    assert decoded(encoding, b"a\r\n", b"=3D") == b"a\r\n=3D"


@given(st.binary(max_size=200), st.integers(1, 9))
def test_base64_in_pieces_of_any_size_is_decoded(document: bytes, step: int) -> None:
    text = base64.encodebytes(document).replace(b"\n", b"\r\n")
    assert decoded("BASE64", *[text[i : i + step] for i in range(0, len(text), step)]) == document


@given(st.binary(max_size=200).map(lambda d: d.replace(b"\r", b"")), st.integers(1, 9))
def test_quoted_printable_in_pieces_of_any_size_is_decoded(document: bytes, step: int) -> None:
    text = quopri.encodestring(document)
    assert decoded("quoted-printable", *[text[i : i + step] for i in range(0, len(text), step)]) == document


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("base64", b"QUJ"),
        ("base64", b"QU*C"),
        ("base64", b"QQ==QUJD"),
        ("base64", b"===="),
        ("uuencode", b""),
        ("quoted-printable", b"x" * 70_000),
    ],
)
def test_a_broken_transfer_encoding_is_malformed(encoding: str, text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decoded(encoding, text)
