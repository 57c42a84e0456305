"""ITI-18 Registry Stored Query (ITI TF-2, 3.18)."""

from __future__ import annotations

from collections.abc import Sequence

from xds.ebxml import fragments, query
from xds.errors import RegistryError
from xds.metadata.requests import AdhocQuery
from xds.registry import DocumentRegistry, QueryResult
from xds.transactions.base import Soap, SoapAnswer, SoapRequest, Transaction
from xds.vocab.actors import Actor
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.namespaces import QUERY


def decode_request(request: SoapRequest) -> AdhocQuery:
    """query:AdhocQueryRequest → the query, its values still in their quotes."""
    return query.decode_request(request.body)


def encode_response(result: QueryResult) -> SoapAnswer:
    """query:AdhocQueryResponse: the stored fragments, joined; or the references to the objects."""
    home = result.home
    if result.references:
        objects = [fragments.object_ref(stored.entry_uuid, home) for stored in result.objects]
    else:
        objects = [fragments.fill(stored, home=home) for stored in result.objects]
    return SoapAnswer(query.encode_response(ResponseStatus.SUCCESS, (), objects))


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
