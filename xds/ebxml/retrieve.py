"""The xds: messages that carry documents: ITI-41 requests, ITI-43 requests and responses (ITI TF-2, 3.41.4, 3.43.4).

Documents stand in them as xop:Include (MTOM) or as base64 text, mixed as the sender likes. On the way out a message is
a list of pieces: bytes, and an :class:`~xds.ports.Include` where a document belongs; ``to_mtom`` and ``to_inline``
join them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote
from uuid import uuid4

from lxml import etree

from xds.ebxml.rim import reference
from xds.ebxml.rs import (
    REGISTRY_RESPONSE,
    SUBMIT_OBJECTS_REQUEST,
    decode_registry_response,
    decode_submit_objects,
    encode_registry_response,
    encode_submit_objects,
    expect,
)
from xds.ebxml.xml import XML_SPACE, attribute, text
from xds.errors import MalformedMessage, MessageTooLarge, RegistryError
from xds.metadata.registry_object import Submission
from xds.metadata.requests import DocumentRequest, ProvidedDocuments, RetrievedDocument, RetrieveResponse
from xds.ports import Include, OutgoingPart, Stage, StagedDocument, StoredDocument
from xds.vocab.namespaces import XDS, XOP

PROVIDE_AND_REGISTER_REQUEST: Final = f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest"
RETRIEVE_REQUEST: Final = f"{{{XDS}}}RetrieveDocumentSetRequest"
RETRIEVE_RESPONSE: Final = f"{{{XDS}}}RetrieveDocumentSetResponse"
_DOCUMENT: Final = f"{{{XDS}}}Document"
_DOCUMENT_REQUEST: Final = f"{{{XDS}}}DocumentRequest"
_DOCUMENT_RESPONSE: Final = f"{{{XDS}}}DocumentResponse"
_INCLUDE: Final = f"{{{XOP}}}Include"

# the largest document that may stand inline as base64 (DESIGN D5); it is in memory as a whole, twice
MAX_INLINE: Final = 8 * 2**20


# --------------------------------------------------------------------------- ITI-41


def decode_provide(
    body: etree._Element, parts: Mapping[str, StagedDocument], stage: Callable[[], Stage]
) -> ProvidedDocuments:
    """The submission and the documents of a ProvideAndRegisterDocumentSetRequest.

    ``parts`` are the MTOM parts by Content-ID. An empty Document is a document of no bytes. Documents that stand inline
    are staged; when the message turns out malformed, what was staged here is discarded (the parts are the adapter's).
    Raises MalformedMessage, and MessageTooLarge for a document that is too long to stand inline.
    """
    expect(body, PROVIDE_AND_REGISTER_REQUEST)
    submissions = body.findall(SUBMIT_OBJECTS_REQUEST)
    if len(submissions) != 1:
        raise MalformedMessage(f"{len(submissions)} SubmitObjectsRequests instead of one")
    submission = decode_submit_objects(submissions[0])
    documents: dict[str, StagedDocument] = {}
    repeated: list[str] = []
    with _Contents(parts, stage) as contents:
        for element in body.iterchildren(_DOCUMENT):
            id_ = reference(element.get("id", ""))
            if not id_:
                raise MalformedMessage("a Document has no id")
            if id_ in documents:
                repeated.append(id_)
            else:
                documents[id_] = contents.of(element)
    return ProvidedDocuments(submission, documents, repeated)


def encode_provide(submission: Submission, documents: Mapping[str, OutgoingPart]) -> list[bytes | Include]:
    """A ProvideAndRegisterDocumentSetRequest as pieces, with undeclared prefixes (``xml.PREFIXES``).

    ``documents`` are the parts by the id of their DocumentEntry, which stays as it is, symbolic or not.
    """
    pieces: list[bytes | Include] = [_PROVIDE_OPEN + encode_submit_objects(submission)]
    for id_, part in documents.items():
        pieces += [f'<xds:Document id="{attribute(id_)}">'.encode(), Include(part), _DOCUMENT_CLOSE]
    pieces.append(_PROVIDE_CLOSE)
    return pieces


_PROVIDE_OPEN: Final = b"<xds:ProvideAndRegisterDocumentSetRequest>"
_PROVIDE_CLOSE: Final = b"</xds:ProvideAndRegisterDocumentSetRequest>"
_DOCUMENT_CLOSE: Final = b"</xds:Document>"

# --------------------------------------------------------------------------- ITI-43, request


def decode_retrieve_request(element: etree._Element) -> list[DocumentRequest]:
    """The documents that a RetrieveDocumentSetRequest asks for, in its order.

    Raises MalformedMessage when there is none, or one lacks a repositoryUniqueId or a documentUniqueId.
    """
    expect(element, RETRIEVE_REQUEST)
    requests = [_decode_document_request(child) for child in element.iterchildren(_DOCUMENT_REQUEST)]
    if not requests:
        raise MalformedMessage("the RetrieveDocumentSetRequest has no DocumentRequest")
    return requests


def _decode_document_request(element: etree._Element) -> DocumentRequest:
    repository, document = _child(element, "RepositoryUniqueId"), _child(element, "DocumentUniqueId")
    if not repository or not document:
        raise MalformedMessage("a DocumentRequest lacks its RepositoryUniqueId or DocumentUniqueId")
    return DocumentRequest(repository, document, _child(element, "HomeCommunityId"))


def _child(element: etree._Element, name: str) -> str | None:
    """Text of a child element; None when it is absent or empty."""
    return (element.findtext(f"{{{XDS}}}{name}") or "").strip(XML_SPACE) or None


def encode_retrieve_request(requests: Iterable[DocumentRequest]) -> bytes:
    """A RetrieveDocumentSetRequest with undeclared prefixes (``xml.PREFIXES``)."""
    return (
        "<xds:RetrieveDocumentSetRequest>"
        + "".join(
            [
                "<xds:DocumentRequest>"
                + _element("HomeCommunityId", request.home_community_id)
                + _element("RepositoryUniqueId", request.repository_unique_id)
                + _element("DocumentUniqueId", request.document_unique_id)
                + "</xds:DocumentRequest>"
                for request in requests
            ]
        )
        + "</xds:RetrieveDocumentSetRequest>"
    ).encode()


def _element(name: str, value: str | None) -> str:
    return "" if value is None else f"<xds:{name}>{text(value)}</xds:{name}>"


# --------------------------------------------------------------------------- ITI-43, response


def encode_retrieve_response(
    status: str, errors: Sequence[RegistryError], documents: Iterable[RetrievedDocument]
) -> list[bytes | Include]:
    """A RetrieveDocumentSetResponse as pieces, in the order of the schema, with undeclared prefixes.

    A document that is a ``StoredDocument`` becomes a part with a Content-ID of its own; the parts of the answer are
    those of the Includes. A document without bytes is an empty element: no part.
    """
    pieces: list[bytes | Include] = [_RESPONSE_OPEN + encode_registry_response(status, errors)]
    for document in documents:
        part = _outgoing(document)
        empty = part.size == 0
        pieces.append(
            (
                "<xds:DocumentResponse>"
                + _element("HomeCommunityId", document.home_community_id)
                + _element("RepositoryUniqueId", document.repository_unique_id)
                + _element("DocumentUniqueId", document.document_unique_id)
                + _element("NewRepositoryUniqueId", document.new_repository_unique_id)
                + _element("NewDocumentUniqueId", document.new_document_unique_id)
                + _element("mimeType", document.mime_type)
                + ("<xds:Document/></xds:DocumentResponse>" if empty else "<xds:Document>")
            ).encode()
        )
        if not empty:
            pieces += [Include(part), _DOCUMENT_RESPONSE_CLOSE]
    pieces.append(_RESPONSE_CLOSE)
    return pieces


_RESPONSE_OPEN: Final = b"<xds:RetrieveDocumentSetResponse>"
_RESPONSE_CLOSE: Final = b"</xds:RetrieveDocumentSetResponse>"
_DOCUMENT_RESPONSE_CLOSE: Final = b"</xds:Document></xds:DocumentResponse>"


def _outgoing(document: RetrievedDocument) -> OutgoingPart:
    content: StoredDocument | OutgoingPart = document.content
    if isinstance(content, OutgoingPart):
        return content
    return OutgoingPart(f"{uuid4()}@ihe-xds", document.mime_type, content.chunks(), content.size)


def decode_retrieve_response(
    body: etree._Element, parts: Mapping[str, StagedDocument], stage: Callable[[], Stage] | None = None
) -> RetrieveResponse:
    """A peer's RetrieveDocumentSetResponse. Its elements are read in any order: published samples differ.

    Documents that stand inline go to ``stage``, or stay in memory without one. Raises MalformedMessage.
    """
    expect(body, RETRIEVE_RESPONSE)
    outcome = body.find(REGISTRY_RESPONSE)
    if outcome is None:
        raise MalformedMessage("the RetrieveDocumentSetResponse has no RegistryResponse")
    status, errors = decode_registry_response(outcome)
    with _Contents(parts, stage) as contents:
        documents = [_decode_document(child, contents) for child in body.iterchildren(_DOCUMENT_RESPONSE)]
    return RetrieveResponse(status, errors, documents)


def _decode_document(element: etree._Element, contents: _Contents) -> RetrievedDocument:
    content = element.find(_DOCUMENT)
    if content is None:
        raise MalformedMessage("a DocumentResponse has no Document")
    return RetrievedDocument(
        repository_unique_id=_child(element, "RepositoryUniqueId") or "",
        document_unique_id=_child(element, "DocumentUniqueId") or "",
        mime_type=_child(element, "mimeType") or "",
        content=contents.of(content),
        home_community_id=_child(element, "HomeCommunityId"),
        new_repository_unique_id=_child(element, "NewRepositoryUniqueId"),
        new_document_unique_id=_child(element, "NewDocumentUniqueId"),
    )


# --------------------------------------------------------------------------- documents in a body


class _Contents:
    """Finds the bytes of Document elements; when left by an error, discards what it has staged."""

    def __init__(self, parts: Mapping[str, StagedDocument], stage: Callable[[], Stage] | None) -> None:
        self._parts = {_content_id(key): part for key, part in parts.items()}
        self._stage = stage or _Memory
        self._staged: list[Stage] = []

    def __enter__(self) -> _Contents:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            for stage in self._staged:
                stage.discard()

    def of(self, element: etree._Element) -> StagedDocument:
        if len(element):
            return self._included(element)
        stage = self._stage()
        self._staged.append(stage)
        stage.write(_from_base64(element.text or ""))
        return stage.finish()

    def _included(self, element: etree._Element) -> StagedDocument:
        """The part that an xop:Include names (XOP 1.0, 4.2); white space around the Include occurs and is harmless."""
        include = element[0]
        around = (element.text or "") + (include.tail or "")
        if len(element) != 1 or include.tag != _INCLUDE or around.strip(XML_SPACE):
            raise MalformedMessage("a Document holds neither base64 nor one xop:Include alone")
        href = include.get("href", "").strip(XML_SPACE)
        if href[:4].lower() != "cid:":
            raise MalformedMessage("an xop:Include does not refer to a part of the message")
        # RFC 2392 wants it decoded; there are senders that write the same text in both places
        found = self._parts.get(_content_id(unquote(href[4:]))) or self._parts.get(_content_id(href[4:]))
        if found is None:
            raise MalformedMessage("an xop:Include refers to a part that is not in the message")
        return found


def _content_id(value: str) -> str:
    """A Content-ID as it is compared: without white space and angle brackets."""
    value = value.strip(XML_SPACE)
    return value[1:-1].strip(XML_SPACE) if value[:1] == "<" and value[-1:] == ">" else value


def _from_base64(value: str) -> bytes:
    """The bytes of xs:base64Binary, which may have white space in it (XML Schema Part 2, 3.2.16)."""
    if len(value) > 2 * MAX_INLINE:  # base64 takes four thirds, line ends a little more
        raise MessageTooLarge(_TOO_LONG)
    try:
        decoded = binascii.a2b_base64(value.encode("ascii").translate(None, b" \t\r\n"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise MalformedMessage("a Document is not valid base64") from None
    if len(decoded) > MAX_INLINE:
        raise MessageTooLarge(_TOO_LONG)
    return decoded


_TOO_LONG: Final = f"a document of more than {MAX_INLINE} bytes stands inline as base64: send it as an MTOM part"


class _Memory:
    """A Stage in memory, for answers that are read without a store."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self._data += data

    @property
    def size(self) -> int:
        return len(self._data)

    def finish(self) -> StagedDocument:
        content = bytes(self._data)
        return StagedDocument(len(content), hashlib.sha1(content, usedforsecurity=False).hexdigest(), content)

    def discard(self) -> None:
        self._data.clear()


# --------------------------------------------------------------------------- joining pieces


def to_mtom(pieces: Iterable[bytes | Include]) -> bytes:
    """The body with an xop:Include for each part (XOP 1.0, 2.1), under the prefix ``xop`` of ``xml.PREFIXES``."""
    return b"".join([piece if isinstance(piece, bytes) else _include(piece) for piece in pieces])


def _include(include: Include) -> bytes:
    # RFC 2392: a cid URL is the Content-ID percent-encoded where a URL needs it
    href = quote(include.part.content_id, safe="!$&'()*+,-.:;=@_~")
    return f'<xop:Include href="cid:{attribute(href)}"/>'.encode()


def to_inline(pieces: Iterable[bytes | Include]) -> bytes:
    """The body with every document as canonical base64: a single line (XOP 1.0, 3.1 wants it canonical)."""
    return b"".join([piece if isinstance(piece, bytes) else _to_base64(piece) for piece in pieces])


def _to_base64(include: Include) -> bytes:
    return base64.b64encode(b"".join(include.part.chunks))
