"""ITI-43 Retrieve Document Set (ITI TF-2, 3.43)."""

from __future__ import annotations

from collections.abc import Sequence

from xds.ebxml import retrieve
from xds.errors import RegistryError
from xds.metadata.requests import DocumentRequest
from xds.ports import Include
from xds.repository import DocumentRepository, RetrieveResult
from xds.transactions.base import Soap, SoapAnswer, SoapRequest, Transaction
from xds.vocab.actors import Actor
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import XDS


def decode_request(request: SoapRequest) -> list[DocumentRequest]:
    """xds:RetrieveDocumentSetRequest → the documents asked for."""
    return retrieve.decode_retrieve_request(request.body)


def encode_response(result: RetrieveResult) -> SoapAnswer:
    """xds:RetrieveDocumentSetResponse: what can be delivered as parts, and an error for each of the others."""
    body = retrieve.encode_retrieve_response(result.status, result.errors, result.documents)
    return SoapAnswer(body, [piece.part for piece in body if isinstance(piece, Include)])


def encode_failure(errors: Sequence[RegistryError]) -> SoapAnswer:
    """xds:RetrieveDocumentSetResponse: Failure, without documents."""
    return SoapAnswer(retrieve.encode_retrieve_response(ResponseStatus.FAILURE, errors, ()))


ITI_43 = Transaction(
    number="ITI-43",
    name="Retrieve Document Set",
    initiators=(Actor.DOCUMENT_CONSUMER,),
    responders=(Actor.DOCUMENT_REPOSITORY,),
    binding=Soap(
        "urn:ihe:iti:2007:RetrieveDocumentSet",
        "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
        f"{{{XDS}}}RetrieveDocumentSetRequest",
        f"{{{XDS}}}RetrieveDocumentSetResponse",
        "DocumentRepository_RetrieveDocumentSet",
        mtom=True,
    ),
    decode_request=decode_request,
    perform=DocumentRepository.retrieve,
    encode_response=encode_response,
    encode_failure=encode_failure,
    internal_error=ErrorCode.REPOSITORY_ERROR,
)
