"""ITI-18 Registry Stored Query (ITI TF-2, 3.18)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from xds.ebxml import fragments, query
from xds.errors import RegistryError
from xds.metadata.requests import AdhocQuery
from xds.ports import Later, StoredObject
from xds.registry import DocumentRegistry, QueryResult
from xds.transactions.base import Soap, SoapAnswer, SoapRequest, Transaction
from xds.vocab.actors import Actor
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.namespaces import QUERY

# Objects of an answer that is written as a whole; a larger one is written while it is sent. As kept by the store an
# object has some 600 bytes, written out 4,500.
_AT_ONCE: Final = 500
_STRIDE: Final = 50  # objects of one piece of it


def decode_request(request: SoapRequest) -> AdhocQuery:
    """query:AdhocQueryRequest → the query, its values still in their quotes."""
    return query.decode_request(request.body)


def encode_response(result: QueryResult) -> SoapAnswer:
    """query:AdhocQueryResponse: the stored fragments, joined; or the references to the objects."""
    home = result.home
    objects: Sequence[bytes | Later]
    if result.references:
        objects = [fragments.object_ref(stored.entry_uuid, home) for stored in result.objects]
    elif len(result.objects) > _AT_ONCE:
        objects = [Later(partial(_in_pieces, result.objects, home))]
    else:
        objects = [fragments.fill(stored, home=home) for stored in result.objects]
    return SoapAnswer(query.encode_response(ResponseStatus.SUCCESS, (), objects))


def _in_pieces(objects: Sequence[StoredObject], home: str | None) -> Iterator[bytes]:
    for start in range(0, len(objects), _STRIDE):
        yield b"".join([fragments.fill(stored, home=home) for stored in objects[start : start + _STRIDE]])


def encode_failure(errors: Sequence[RegistryError]) -> SoapAnswer:
    """query:AdhocQueryResponse: Failure, with an empty RegistryObjectList (ITI TF-2, 3.18.4.1.3)."""
    return SoapAnswer(query.encode_response(ResponseStatus.FAILURE, errors, ()))


ITI_18 = Transaction(
    number="ITI-18",
    name="Registry Stored Query",
    initiators=(Actor.DOCUMENT_CONSUMER,),
    responders=(Actor.DOCUMENT_REGISTRY,),
    binding=Soap(
        "urn:ihe:iti:2007:RegistryStoredQuery",
        "urn:ihe:iti:2007:RegistryStoredQueryResponse",
        f"{{{QUERY}}}AdhocQueryRequest",
        f"{{{QUERY}}}AdhocQueryResponse",
        "DocumentRegistry_RegistryStoredQuery",
    ),
    decode_request=decode_request,
    perform=DocumentRegistry.query,
    encode_response=encode_response,
    encode_failure=encode_failure,
)
