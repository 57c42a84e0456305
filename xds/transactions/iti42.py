"""ITI-42 Register Document Set-b (ITI TF-2, 3.42)."""

from __future__ import annotations

from collections.abc import Sequence

from xds.ebxml import rs
from xds.errors import RegistryError
from xds.metadata.registry_object import Submission
from xds.ports import RegistryResponse
from xds.registry import DocumentRegistry
from xds.transactions.base import Soap, SoapAnswer, SoapRequest, Transaction
from xds.vocab.actors import Actor
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.namespaces import LCM, RS


def decode_request(request: SoapRequest) -> Submission:
    """lcm:SubmitObjectsRequest → the submission."""
    return rs.decode_submit_objects(request.body)


def encode_response(response: RegistryResponse) -> SoapAnswer:
    """rs:RegistryResponse: Success, with the warnings (ITI TF-3, 4.2.4)."""
    return SoapAnswer((rs.encode_registry_response(ResponseStatus.SUCCESS, response.errors),))


def encode_failure(errors: Sequence[RegistryError]) -> SoapAnswer:
    """rs:RegistryResponse: Failure."""
    return SoapAnswer((rs.encode_registry_response(ResponseStatus.FAILURE, errors),))


ITI_42 = Transaction(
    number="ITI-42",
    name="Register Document Set-b",
    initiators=(Actor.DOCUMENT_REPOSITORY,),
    responders=(Actor.DOCUMENT_REGISTRY,),
    binding=Soap(
        "urn:ihe:iti:2007:RegisterDocumentSet-b",
        "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
        f"{{{LCM}}}SubmitObjectsRequest",
        f"{{{RS}}}RegistryResponse",
        "DocumentRegistry_RegisterDocumentSet-b",
    ),
    decode_request=decode_request,
    perform=DocumentRegistry.submit,
    encode_response=encode_response,
    encode_failure=encode_failure,
)
