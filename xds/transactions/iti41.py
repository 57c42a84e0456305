"""ITI-41 Provide and Register Document Set-b (ITI TF-2, 3.41)."""

from __future__ import annotations

from xds.ebxml import retrieve
from xds.metadata.requests import ProvidedDocuments
from xds.repository import DocumentRepository
from xds.transactions.base import Soap, SoapRequest, Transaction
from xds.transactions.iti42 import encode_failure, encode_response
from xds.vocab.actors import Actor
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import RS, XDS


def decode_request(request: SoapRequest) -> ProvidedDocuments:
    """xds:ProvideAndRegisterDocumentSetRequest → the submission and its staged documents."""
    return retrieve.decode_provide(request.body, request.parts, request.stage)


ITI_41 = Transaction(
    number="ITI-41",
    name="Provide and Register Document Set-b",
    initiators=(Actor.DOCUMENT_SOURCE,),
    responders=(Actor.DOCUMENT_REPOSITORY,),
    binding=Soap(
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
        f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest",
        f"{{{RS}}}RegistryResponse",
        "DocumentRepository_ProvideAndRegisterDocumentSet-b",
        mtom=True,
    ),
    decode_request=decode_request,
    perform=DocumentRepository.submit,
    encode_response=encode_response,
    encode_failure=encode_failure,
    internal_error=ErrorCode.REPOSITORY_ERROR,
)
