"""The messages that carry documents."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xds.ebxml import support
from xds.ebxml import retrieve, xml
from xds.errors import MalformedMessage, MessageTooLarge, RegistryError
from xds.metadata.requests import DocumentRequest, RetrievedDocument
from xds.ports import Include, OutgoingPart, Stage, StagedDocument, StoredDocument
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.errors import ErrorCode


class Shelf:
    """Stages in memory that remember what became of them."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.discarded: list[bytes] = []

    def stage(self) -> Stage:
        return OnShelf(self)


class OnShelf:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self._data = shelf, b""

    def write(self, data: bytes | memoryview) -> None:
        self._data += data

    @property
    def size(self) -> int:
        return len(self._data)

    def finish(self) -> StagedDocument:
        self._shelf.written.append(self._data)
        return staged(self._data)

    def discard(self) -> None:
        self._shelf.discarded.append(self._data)


def staged(content: bytes) -> StagedDocument:
    return StagedDocument(len(content), hashlib.sha1(content).hexdigest(), content)


def part(content: bytes, content_id: str = "d1@ihe-xds") -> OutgoingPart:
    return OutgoingPart(content_id, "text/xml", [content[:2], content[2:]], len(content))


PROVIDE = "xds:ProvideAndRegisterDocumentSetRequest"
SUBMIT = "<lcm:SubmitObjectsRequest><rim:RegistryObjectList/></lcm:SubmitObjectsRequest>"


def provide(documents: str, parts: Mapping[str, StagedDocument] | None = None, shelf: Shelf | None = None):  # type: ignore[no-untyped-def]
    """What is in a request with these Document elements."""
    body = f"<xds:ProvideAndRegisterDocumentSetRequest>{SUBMIT}{documents}</xds:ProvideAndRegisterDocumentSetRequest>"
    return retrieve.decode_provide(support.rooted(body.encode()), parts or {}, (shelf or Shelf()).stage)


# --------------------------------------------------------------------------- ITI-41


@given(st.dictionaries(support.symbols, st.binary(max_size=20), max_size=3))
def test_a_provided_set_is_read_as_it_was_written_with_parts_and_inline(contents: dict[str, bytes]) -> None:
    submission = support.submission()
    parts = {id_: part(content, f"{n} <%>@x") for n, (id_, content) in enumerate(contents.items())}
    pieces = retrieve.encode_provide(submission, parts)
    arrived = {outgoing.content_id: staged(contents[id_]) for id_, outgoing in parts.items()}
    for body, came in (retrieve.to_mtom(pieces), arrived), (retrieve.to_inline(pieces), {}):
        provided = retrieve.decode_provide(support.rooted(body), came, Shelf().stage)
        assert provided.submission == submission
        assert provided.documents == {id_: staged(content) for id_, content in contents.items()}
        assert provided.repeated == []


def test_a_provided_set_keeps_to_the_schema(shared: Path) -> None:
    pieces = retrieve.encode_provide(support.submission(), {"Document01": part(b"<a/>"), "Document02": part(b"")})
    support.schema(shared).assertValid(support.rooted(retrieve.to_inline(pieces)))


@pytest.mark.parametrize(
    ("href", "content_id"),
    [
        ("cid:d1@x", "d1@x"),
        ("cid:d1@x", "<d1@x>"),
        (" CID:d1@x ", "d1@x"),
        ("cid:&lt;d1@x&gt;", "d1@x"),
        ("cid:http%3A%2F%2Ftempuri.org%2F1%2F63", "http://tempuri.org/1/63"),  # .NET
        ("cid:8ba2-1@urn%3Aihe%3Aiti%3Axds-b%3A2007", "8ba2-1@urn:ihe:iti:xds-b:2007"),  # CXF
        ("cid:1.urn:uuid:ABC@apache.org", "1.urn:uuid:ABC@apache.org"),  # Axis2
        ("cid:a%2Fb", "a%2Fb"),  # a stack that writes the same text in both places
        ("cid:%3Cd1@x%3E", " <d1@x> "),
        ("cid:id1", "id1"),  # gSOAP
    ],
)
def test_an_include_finds_its_part_in_every_spelling(href: str, content_id: str) -> None:
    document = f'<xds:Document id="D">\n  <xop:Include href="{href}"/>\n</xds:Document>'
    parts = {"other": staged(b"no"), content_id: staged(b"yes")}
    assert provide(document, parts).documents == {"D": staged(b"yes")}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", b""),
        (" \n ", b""),
        ("QQ==", b"A"),
        (" QU\r\nJD\tRA== ", b"ABCD"),
        ("<!-- comment -->QUJD", b"ABC"),
        ("QUJD&#13;\nREVG", b"ABCDEF"),
    ],
)
def test_an_inline_document_is_staged(content: str, expected: bytes) -> None:
    shelf = Shelf()
    assert provide(f'<xds:Document id="D">{content}</xds:Document>', shelf=shelf).documents == {"D": staged(expected)}
    assert (shelf.written, shelf.discarded) == ([expected], [])


def test_where_two_parts_could_be_meant_the_percent_encoding_is_read_as_such() -> None:
    parts = {"a%2Fb": staged(b"no"), "a/b": staged(b"yes")}
    provided = provide('<xds:Document id="D"><xop:Include href="cid:a%2Fb"/></xds:Document>', parts)
    assert provided.documents == {"D": staged(b"yes")}


def test_includes_and_inline_documents_may_be_mixed_and_two_may_share_a_part() -> None:
    provided = provide(
        '<xds:Document id="A"><xop:Include href="cid:1"/></xds:Document><xds:Document id="B">QQ==</xds:Document>'
        '<xds:Document id="C"><xop:Include href="cid:1"/></xds:Document>',
        {"1": staged(b"one")},
    )
    assert provided.documents == {"A": staged(b"one"), "B": staged(b"A"), "C": staged(b"one")}


def test_the_id_of_a_document_is_read_as_the_id_of_its_entry() -> None:
    provided = provide('<xds:Document id=" urn:uuid:AAAAAAAA-0000-4000-8000-00000000000A ">QQ==</xds:Document>')
    assert list(provided.documents) == ["urn:uuid:aaaaaaaa-0000-4000-8000-00000000000a"]


def test_a_repeated_document_is_noted_and_not_staged() -> None:
    shelf = Shelf()
    provided = provide('<xds:Document id="A">QQ==</xds:Document><xds:Document id="A">Qg==</xds:Document>', shelf=shelf)
    assert provided.documents == {"A": staged(b"A")}
    assert (provided.repeated, shelf.written) == (["A"], [b"A"])


@pytest.mark.parametrize(
    "document",
    [
        "<xds:Document>QQ==</xds:Document>",
        '<xds:Document id="">QQ==</xds:Document>',
        '<xds:Document id="D">QQ=</xds:Document>',
        '<xds:Document id="D">QQ==QQ==</xds:Document>',
        '<xds:Document id="D">Q!==</xds:Document>',
        '<xds:Document id="D">=</xds:Document>',
        '<xds:Document id="D">\u738b</xds:Document>',
        '<xds:Document id="D"><rim:Slot/></xds:Document>',
        '<xds:Document id="D"><xop:Include/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="cid:"/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="cid:nowhere"/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="1"/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="http://example.com/1"/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="file:///etc/passwd"/></xds:Document>',
        '<xds:Document id="D">QQ==<xop:Include href="cid:1"/></xds:Document>',
        '<xds:Document id="D"><xop:Include href="cid:1"/>QQ==</xds:Document>',
        '<xds:Document id="D"><xop:Include href="cid:1"/><xop:Include href="cid:1"/></xds:Document>',
    ],
)
def test_a_document_that_cannot_be_understood_is_malformed_and_what_was_staged_is_discarded(document: str) -> None:
    shelf = Shelf()
    with pytest.raises(MalformedMessage) as caught:
        provide('<xds:Document id="first">QUJD</xds:Document>' + document, {"1": staged(b"one")}, shelf)
    assert not isinstance(caught.value, MessageTooLarge)
    assert b"ABC" in shelf.discarded


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<xds:ProvideAndRegisterDocumentSetRequest/>", "0 SubmitObjectsRequests"),
        (
            f"<xds:ProvideAndRegisterDocumentSetRequest>{SUBMIT}{SUBMIT}</xds:ProvideAndRegisterDocumentSetRequest>",
            "2 ",
        ),
        (SUBMIT, "no ProvideAndRegisterDocumentSetRequest"),
    ],
)
def test_what_provides_nothing_is_malformed(body: str, message: str) -> None:
    with pytest.raises(MalformedMessage, match=message):
        retrieve.decode_provide(support.rooted(body.encode()), {}, Shelf().stage)


@pytest.mark.parametrize("surplus", [1, 5_000_000])
def test_a_document_that_is_too_long_to_stand_inline_is_refused_with_the_way_out(surplus: int) -> None:
    text = base64.b64encode(bytes(retrieve.MAX_INLINE + surplus)).decode()
    root = xml.parse(
        f'<r{xml.PREFIXES.decode()}><xds:ProvideAndRegisterDocumentSetRequest>{SUBMIT}<xds:Document id="D">{text}'
        "</xds:Document></xds:ProvideAndRegisterDocumentSetRequest></r>".encode(),
        max_size=2**25,
    )
    shelf = Shelf()
    with pytest.raises(MessageTooLarge, match="MTOM"):
        retrieve.decode_provide(root[0], {}, shelf.stage)
    assert shelf.written == []


def test_the_longest_document_may_stand_inline() -> None:
    content = bytes(retrieve.MAX_INLINE)
    provided = provide(f'<xds:Document id="D">{base64.encodebytes(content).decode()}</xds:Document>')
    assert provided.documents["D"].size == len(content)


def test_the_submission_of_another_system_is_read(shared: Path) -> None:
    capture = (shared / "samples/swiss-epr/ITI-41_request_raw.xml").read_bytes()
    envelope = capture[capture.index(b"<soap:Envelope") : capture.index(b"</soap:Envelope>") + 16]
    # cut by hand when it was published: declarations went with the elements that had them
    envelope = envelope.replace(b"<soap:Envelope ", b'<soap:Envelope xmlns:wsse="urn:lost" ', 1)
    (body,) = xml.parse(envelope).iterfind("{*}Body")
    content_id = re.search(rb"Content-ID: <(8ba22b9e[^>]*)>", capture)
    assert content_id is not None
    provided = retrieve.decode_provide(body[0], {content_id[1].decode(): staged(b"{}")}, Shelf().stage)
    (entry,) = provided.submission.document_entries
    assert provided.documents == {entry.id: staged(b"{}")}
    assert len(provided.submission.submission_sets) == 1
    assert [a.target for a in provided.submission.associations] == [entry.id]
    assert entry.unknown == []


# --------------------------------------------------------------------------- ITI-43, request

requests = st.builds(DocumentRequest, support.names, support.names, st.none() | support.names)


@given(st.lists(requests, min_size=1, max_size=4))
def test_a_request_is_read_as_it_was_written(asked: list[DocumentRequest]) -> None:
    assert retrieve.decode_retrieve_request(support.rooted(retrieve.encode_retrieve_request(asked))) == asked


def test_a_request_keeps_to_the_schema(shared: Path) -> None:
    asked = [DocumentRequest("1.2", "3.4^5", "urn:oid:1"), DocumentRequest("1.2", "3.4")]
    support.schema(shared).assertValid(support.rooted(retrieve.encode_retrieve_request(asked)))


def test_a_request_is_read_in_any_order_and_with_white_space() -> None:
    element = support.rooted(b"""
        <xds:RetrieveDocumentSetRequest><xds:DocumentRequest><xds:DocumentUniqueId>
          1.2 </xds:DocumentUniqueId><xds:HomeCommunityId/><xds:RepositoryUniqueId>3</xds:RepositoryUniqueId>
        </xds:DocumentRequest></xds:RetrieveDocumentSetRequest>""")
    assert retrieve.decode_retrieve_request(element) == [DocumentRequest("3", "1.2", None)]


@pytest.mark.parametrize(
    "body",
    [
        "<xds:RetrieveDocumentSetRequest/>",
        "<xds:RetrieveDocumentSetRequest><xds:DocumentRequest/></xds:RetrieveDocumentSetRequest>",
        "<xds:RetrieveDocumentSetRequest><xds:DocumentRequest><xds:RepositoryUniqueId>1</xds:RepositoryUniqueId>"
        "</xds:DocumentRequest></xds:RetrieveDocumentSetRequest>",
        "<xds:RetrieveDocumentSetRequest><xds:DocumentRequest><xds:RepositoryUniqueId> </xds:RepositoryUniqueId>"
        "<xds:DocumentUniqueId>1</xds:DocumentUniqueId></xds:DocumentRequest></xds:RetrieveDocumentSetRequest>",
        "<rs:RetrieveDocumentSetRequest/>",
    ],
)
def test_what_asks_for_nothing_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        retrieve.decode_retrieve_request(support.rooted(body.encode()))


def test_the_request_of_another_system_is_read(shared: Path) -> None:
    (body,) = xml.parse((shared / "samples/swiss-epr/ITI-43_request_raw.xml").read_bytes()).iterfind("{*}Body")
    (asked,) = retrieve.decode_retrieve_request(body[0])
    assert asked.document_unique_id == "1.3.6.1.4.1.21367.2017.2.1.75.20200922130227623"
    assert asked.repository_unique_id


# --------------------------------------------------------------------------- ITI-43, response


@st.composite
def retrieved(draw: st.DrawFn) -> tuple[RetrievedDocument, bytes]:
    content = draw(st.binary(max_size=10))
    return (
        RetrievedDocument(
            repository_unique_id=draw(support.names),
            document_unique_id=draw(support.names),
            mime_type=draw(support.names),
            content=StoredDocument("1.2", "text/xml", len(content), "", content),
            home_community_id=draw(st.none() | support.names),
            new_repository_unique_id=draw(st.none() | support.names),
            new_document_unique_id=draw(st.none() | support.names),
        ),
        content,
    )


ERRORS = (RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID, "not here", "1.2.3"),)


@given(st.lists(retrieved(), max_size=3), st.sampled_from([(), ERRORS]))
def test_an_answer_is_read_as_it_was_written_with_parts_and_inline(
    sent: list[tuple[RetrievedDocument, bytes]], errors: tuple[RegistryError, ...]
) -> None:
    for join in retrieve.to_mtom, retrieve.to_inline:
        pieces = retrieve.encode_retrieve_response(ResponseStatus.SUCCESS, errors, [document for document, _ in sent])
        parts = [piece.part for piece in pieces if isinstance(piece, Include)]
        assert [p.content_type for p in parts] == [document.mime_type for document, content in sent if content]
        arrived = {p.content_id: staged(b"".join(p.chunks)) for p in parts} if join is retrieve.to_mtom else {}
        response = retrieve.decode_retrieve_response(support.rooted(join(pieces)), arrived)
        assert (response.status, response.errors) == (ResponseStatus.SUCCESS, errors)
        for (document, content), decoded in zip(sent, response.documents, strict=True):
            assert decoded.content == staged(content)
            for field in ["repository_unique_id", "document_unique_id", "mime_type", "home_community_id"]:
                assert getattr(decoded, field) == getattr(document, field)
            assert decoded.new_document_unique_id == document.new_document_unique_id
            assert decoded.new_repository_unique_id == document.new_repository_unique_id


@pytest.mark.parametrize("join", [retrieve.to_inline])
def test_an_answer_keeps_to_the_schema(shared: Path, join: Callable[..., bytes]) -> None:
    documents = [
        RetrievedDocument(
            repository_unique_id="1.2",
            document_unique_id="3.4",
            mime_type="text/xml",
            content=part(content),
            home_community_id="urn:oid:1",
            new_repository_unique_id="5",
            new_document_unique_id="6",
        )
        for content in (b"", b"<a/>")
    ]
    for errors, sent in ((), documents), (ERRORS, documents), (ERRORS, []):
        pieces = retrieve.encode_retrieve_response(ResponseStatus.PARTIAL_SUCCESS, errors, sent)
        support.schema(shared).assertValid(support.rooted(join(pieces)))


def test_every_stored_document_is_a_part_of_its_own() -> None:
    document = RetrievedDocument(
        repository_unique_id="1",
        document_unique_id="2",
        mime_type="application/pdf",
        content=StoredDocument("2", "text/plain", 3, "", b"abc"),
    )
    pieces = retrieve.encode_retrieve_response(ResponseStatus.SUCCESS, (), [document, document])
    parts = [piece.part for piece in pieces if isinstance(piece, Include)]
    assert len({p.content_id for p in parts}) == 2
    assert [(p.content_type, p.size, b"".join(p.chunks)) for p in parts] == [("application/pdf", 3, b"abc")] * 2


def test_an_answer_is_read_in_any_order_and_inline_documents_go_to_the_stage() -> None:
    shelf = Shelf()
    element = support.rooted(b"""
        <xds:RetrieveDocumentSetResponse><rs:RegistryResponse status="s"/><xds:DocumentResponse>
          <xds:NewDocumentUniqueId>n</xds:NewDocumentUniqueId><xds:NewRepositoryUniqueId>m</xds:NewRepositoryUniqueId>
          <xds:Document>QUJD</xds:Document><xds:mimeType> text/xml </xds:mimeType>
          <xds:DocumentUniqueId>d</xds:DocumentUniqueId><xds:RepositoryUniqueId>r</xds:RepositoryUniqueId>
        </xds:DocumentResponse></xds:RetrieveDocumentSetResponse>""")
    (document,) = retrieve.decode_retrieve_response(element, {}, shelf.stage).documents
    assert document == RetrievedDocument(
        repository_unique_id="r",
        document_unique_id="d",
        mime_type="text/xml",
        content=staged(b"ABC"),
        new_repository_unique_id="m",
        new_document_unique_id="n",
    )
    assert shelf.written == [b"ABC"]


@pytest.mark.parametrize(
    "body",
    [
        "<xds:RetrieveDocumentSetResponse/>",
        '<rs:RegistryResponse status="s"/>',
        "<xds:RetrieveDocumentSetResponse><rs:RegistryResponse/></xds:RetrieveDocumentSetResponse>",
        '<xds:RetrieveDocumentSetResponse><rs:RegistryResponse status="s"/><xds:DocumentResponse/>'
        "</xds:RetrieveDocumentSetResponse>",
        '<xds:RetrieveDocumentSetResponse><rs:RegistryResponse status="s"/><xds:DocumentResponse><xds:Document>'
        '<xop:Include href="cid:x"/></xds:Document></xds:DocumentResponse></xds:RetrieveDocumentSetResponse>',
    ],
)
def test_what_is_no_answer_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        retrieve.decode_retrieve_response(support.rooted(body.encode()), {})


def test_the_answer_of_another_system_is_read(shared: Path) -> None:
    (body,) = xml.parse((shared / "samples/swiss-epr/ITI-43_response_raw.xml").read_bytes()).iterfind("{*}Body")
    parts = {"<72f7c587daaacb8b81212de4e80e442e5f43394482e12edd@apache.org>": staged(b"{}")}
    response = retrieve.decode_retrieve_response(body[0], parts)
    assert (response.status, response.errors) == (ResponseStatus.SUCCESS, ())
    (document,) = response.documents
    assert document.content == staged(b"{}")
    assert document.document_unique_id == "1.3.6.1.4.1.21367.2017.2.1.75.20200922130227623"
