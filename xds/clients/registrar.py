"""A repository's way to a registry in another system (ITI-42, and ITI-18 for what is in doubt)."""

from __future__ import annotations

from dataclasses import replace

from xds.clients.answers import decoded
from xds.clients.documents import DocumentConsumer
from xds.ebxml import rs
from xds.errors import PeerRejected, PeerUnreachable, RegistryError, RequestRejected
from xds.metadata.registry_object import Submission
from xds.metadata.requests import ReturnType
from xds.ports import Exchange, OutgoingRequest, RegistryResponse
from xds.transactions.iti42 import ITI_42
from xds.vocab.ebrim import ResponseStatus, Severity
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import GET_SUBMISSION_SET_AND_CONTENTS


class RemoteRegistrar:
    """A ``ports.Registrar`` at another system's endpoint. ``query`` is where ITI-18 is answered, when elsewhere."""

    def __init__(self, registry: Exchange, *, query: Exchange | None = None) -> None:
        self._registry = registry
        self._consumer = DocumentConsumer(query or registry)

    def register(self, submission: Submission) -> RegistryResponse:
        """Register Document Set-b (ITI TF-2, 3.42).

        Raises RequestRejected only for a Failure of the registry. A fault or an unreadable answer leaves the outcome
        open, and is PeerUnreachable.
        """
        try:
            answer = self._registry(OutgoingRequest(ITI_42.binding.action, rs.encode_submit_objects(submission)))
        except PeerRejected as error:
            raise PeerUnreachable(str(error)) from error
        with decoded(answer):
            status, errors = rs.decode_registry_response(answer.body)
        if status == ResponseStatus.SUCCESS:
            # what a registry calls an error beside its Success is a warning: the submission is registered
            return RegistryResponse(tuple(replace(error, severity=Severity.WARNING) for error in errors))
        if status != ResponseStatus.FAILURE:
            raise PeerUnreachable("the registry answered with a status that ITI-42 does not have")
        raise _rejected(errors)

    def is_registered(self, submission_set_unique_id: str) -> bool:
        """Whether the registry has this SubmissionSet. Raises PeerUnreachable when it cannot be told."""
        try:
            found = self._consumer.query(
                GET_SUBMISSION_SET_AND_CONTENTS,
                return_type=ReturnType.OBJECT_REF,
                submission_set_unique_id=submission_set_unique_id,
            )
        except PeerRejected as error:
            raise PeerUnreachable(str(error)) from error
        if found.references or found.objects:
            return True
        if found.errors:
            raise PeerUnreachable("the registry answered with errors and no objects")
        return False


def _rejected(errors: tuple[RegistryError, ...]) -> RequestRejected:
    """All the registry's errors; a code of its own, which the Framework does not know, cannot stand first."""
    if errors and isinstance(errors[0].code, ErrorCode):
        return RequestRejected.of(errors)
    reason = RegistryError(ErrorCode.REGISTRY_ERROR, "the registry refused the submission")
    return RequestRejected.of((reason, *errors))
