"""AdhocQueryRequest and AdhocQueryResponse ↔ values (ITI TF-2, 3.18.4.1; ITI-38 and ITI-51 use them as well)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lxml import etree

from xds.ebxml import rim
from xds.ebxml.rs import decode_outcome, encode_errors, expect
from xds.ebxml.xml import XML_SPACE, attribute
from xds.errors import MalformedMessage, RegistryError
from xds.metadata.registry_object import RegistryObject
from xds.metadata.requests import AdhocQuery, ObjectRef, QueryResponse
from xds.ports import Later
from xds.vocab.namespaces import QUERY, RIM

ADHOC_QUERY_REQUEST: Final = f"{{{QUERY}}}AdhocQueryRequest"
ADHOC_QUERY_RESPONSE: Final = f"{{{QUERY}}}AdhocQueryResponse"
_RESPONSE_OPTION: Final = f"{{{QUERY}}}ResponseOption"
_ADHOC_QUERY: Final = f"{{{RIM}}}AdhocQuery"
_SLOT: Final = f"{{{RIM}}}Slot"
_REGISTRY_OBJECT_LIST: Final = f"{{{RIM}}}RegistryObjectList"

# --------------------------------------------------------------------------- request


def decode_request(element: etree._Element) -> AdhocQuery:
    """The stored query in an AdhocQueryRequest. Its id loses white space and capitals, which occur.

    Raises MalformedMessage when the body is something else, or ResponseOption or AdhocQuery is missing or repeated.
    """
    expect(element, ADHOC_QUERY_REQUEST)
    option, query = _only(element, _RESPONSE_OPTION), _only(element, _ADHOC_QUERY)
    return AdhocQuery(
        query_id=rim.reference(query.get("id", "")),
        # the schema's default; an actor of ITI-18 does not support it (3.18.4.1.2.2)
        return_type=option.get("returnType", "RegistryObject").strip(XML_SPACE),
        parameters=tuple(rim.decode_slot(slot) for slot in query.iterchildren(_SLOT)),
        home=query.get("home", "").strip(XML_SPACE) or None,
    )


def _only(element: etree._Element, tag: str) -> etree._Element:
    found = element.findall(tag)
    if len(found) != 1:
        name = etree.QName(tag).localname
        raise MalformedMessage(f"the AdhocQueryRequest has {len(found)} {name} elements instead of one")
    return found[0]


def encode_request(query: AdhocQuery) -> bytes:
    """An AdhocQueryRequest with undeclared prefixes (``xml.PREFIXES``)."""
    home = "" if query.home is None else f' home="{attribute(query.home)}"'
    slots = "".join([rim.slot(name, values) for name, values in query.parameters])
    return (
        f'<query:AdhocQueryRequest><query:ResponseOption returnComposedObjects="true"'
        f' returnType="{attribute(query.return_type)}"/><rim:AdhocQuery id="{attribute(query.query_id)}"{home}>{slots}'
        "</rim:AdhocQuery></query:AdhocQueryRequest>"
    ).encode()


# --------------------------------------------------------------------------- response


def encode_response(
    status: str, errors: Sequence[RegistryError], objects: Iterable[bytes | Later]
) -> list[bytes | Later]:
    """An AdhocQueryResponse as pieces, with undeclared prefixes (``xml.PREFIXES``).

    ``objects`` are objects or references as ``ebxml.fragments`` gives them. The order is the schema's, and the list is
    there even when it is empty (ITI TF-2, 3.18.4.1.3).
    """
    opening = f'<query:AdhocQueryResponse status="{attribute(status)}">'.encode()
    return [opening + encode_errors(errors) + _LIST_OPEN, *objects, _CLOSE]


_LIST_OPEN: Final = b"<rim:RegistryObjectList>"
_CLOSE: Final = b"</rim:RegistryObjectList></query:AdhocQueryResponse>"


def decode_response(element: etree._Element) -> QueryResponse:
    """A peer's AdhocQueryResponse. A missing RegistryObjectList, which the schema demands, counts as an empty one.

    Raises MalformedMessage.
    """
    expect(element, ADHOC_QUERY_RESPONSE)
    status, errors = decode_outcome(element)
    objects: list[RegistryObject] = []
    references: list[ObjectRef] = []
    for registry_object_list in element.iterchildren(_REGISTRY_OBJECT_LIST):
        for item in rim.decode_items(registry_object_list):
            if isinstance(item, ObjectRef):
                references.append(item)
            else:
                objects.append(item)
    return QueryResponse(status, errors, objects, references)
