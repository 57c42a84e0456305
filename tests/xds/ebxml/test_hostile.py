"""Damaged and nonsensical messages: every decoder answers with a value or with MalformedMessage, with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.xds.ebxml import support
from tests.xds.ebxml.test_query import QUERY
from tests.xds.ebxml.test_retrieve import Shelf, part, staged
from xds.ebxml import fragments, query, retrieve, rim, rs, xml
from xds.errors import MalformedMessage, RegistryError
from xds.metadata.requests import DocumentRequest, RetrievedDocument
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import LCM, RIM, RS, XDS, XOP
from xds.vocab.namespaces import QUERY as QUERY_NAMESPACE

ERRORS = (RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "P1", "Document01"),)
DOCUMENT = RetrievedDocument(repository_unique_id="1", document_unique_id="2", mime_type="a/b", content=part(b"<a/>"))
SUBMISSION = support.submission()

# a good message of each kind, and what reads it
DECODERS: dict[str, tuple[bytes, Callable[[etree._Element], object]]] = {
    "SubmitObjectsRequest": (rs.encode_submit_objects(SUBMISSION), rs.decode_submit_objects),
    "RegistryResponse": (rs.encode_registry_response(ResponseStatus.FAILURE, ERRORS), rs.decode_registry_response),
    "AdhocQueryRequest": (query.encode_request(QUERY), query.decode_request),
    "AdhocQueryResponse": (
        b"".join(
            query.encode_response(
                ResponseStatus.SUCCESS, ERRORS, [rim.encode(SUBMISSION.objects[0]), fragments.object_ref("x")]
            )
        ),
        query.decode_response,
    ),
    "ProvideAndRegisterDocumentSetRequest": (
        retrieve.to_inline(retrieve.encode_provide(SUBMISSION, {"Document01": part(b"<a/>")})),
        lambda body: retrieve.decode_provide(body, {"1": staged(b"one")}, Shelf().stage),
    ),
    "RetrieveDocumentSetRequest": (
        retrieve.encode_retrieve_request([DocumentRequest("1", "2", "urn:oid:3")]),
        retrieve.decode_retrieve_request,
    ),
    "RetrieveDocumentSetResponse": (
        retrieve.to_inline(retrieve.encode_retrieve_response(ResponseStatus.SUCCESS, ERRORS, [DOCUMENT])),
        lambda body: retrieve.decode_retrieve_response(body, {}),
    ),
}


@pytest.mark.parametrize("name", DECODERS)
def test_the_undamaged_message_is_read(name: str) -> None:
    message, decode = DECODERS[name]
    assert decode(support.rooted(message)) is not None


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=60)
@given(st.data())
def test_bytes_cut_out_doubled_or_overwritten_are_survived(name: str, data: st.DataObject) -> None:
    message, decode = DECODERS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(message)))
        end = data.draw(st.integers(start, min(len(message), start + 200)))
        instead = data.draw(
            st.sampled_from([b"", message[start:end] * 2, b"<", b">", b'"', b"\0", b"\xff", b"&#x110000;"])
        )
        message = message[:start] + instead + message[end:]
    with suppress(MalformedMessage):
        for element in xml.parse(b"<root" + xml.PREFIXES + b">" + message + b"</root>"):
            decode(element)


NAMES = [
    f"{{{namespace}}}{name}"
    for namespace, names in {
        RIM: "ExtrinsicObject RegistryPackage Association Classification ObjectRef Slot ValueList Value Name"
        " Description LocalizedString VersionInfo RegistryObjectList ExternalIdentifier AdhocQuery",
        RS: "RegistryResponse RegistryErrorList RegistryError",
        XDS: "Document DocumentRequest DocumentResponse RepositoryUniqueId DocumentUniqueId",
        LCM: "SubmitObjectsRequest",
        QUERY_NAMESPACE: "ResponseOption",
        XOP: "Include",
        "urn:x": "foreign",
    }.items()
    for name in names.split()
]
ATTRIBUTES = ("id", "name", "value", "status", "classifiedObject", "classificationNode", "registryObject", "href")
trees = st.recursive(
    st.tuples(st.sampled_from(NAMES), st.just(())),
    lambda children: st.tuples(st.sampled_from(NAMES), st.lists(children, max_size=4).map(tuple)),
    max_leaves=12,
)


def build(tree: tuple[str, tuple[object, ...]], draw: Callable[[st.SearchStrategy[str]], str]) -> etree._Element:
    element = etree.Element(tree[0])
    for attribute in ATTRIBUTES:
        if draw(st.sampled_from(["", "x"])):
            element.set(attribute, draw(st.sampled_from(["", " ", "a", "urn:uuid:A", "cid:1", "cid:2"])))
    element.text = draw(st.sampled_from(["", " ", "QQ==", "text"]))
    for child in tree[1]:
        element.append(build(child, draw))  # type: ignore[arg-type]  # the trees are recursive
    return element


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=40)
@given(st.data(), st.lists(trees, max_size=4))
def test_any_elements_in_any_order_are_survived(name: str, data: st.DataObject, content: list[object]) -> None:
    message, decode = DECODERS[name]
    root = etree.Element(support.rooted(message).tag, status="s")
    for tree in content:
        root.append(build(tree, data.draw))  # type: ignore[arg-type]
    with suppress(MalformedMessage):
        decode(root)
