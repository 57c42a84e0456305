"""MDM and ORU as rows that an HL7 v2 endpoint dispatches on (HL7 v2.5, 7.3.1 and 9.5)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from xds.bridge.convert import Bridge, Bridged
from xds.bridge.targets import Target
from xds.errors import PeerRejected, RegistryError, RequestRejected
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, reject
from xds.metadata.association import Association
from xds.metadata.submission import appends, replaces
from xds.transactions.base import Hl7v2, Hl7v2Transaction
from xds.vocab.actors import Actor
from xds.vocab.ebrim import AssociationType, ObjectKind
from xds.vocab.errors import TRY_AGAIN, ErrorCode
from xds.vocab.hl7 import AckCode, Hl7ErrorCode

# where the cause of an error stands in the message, when that can be told
_PLACES: Final[dict[str, Location]] = {
    ErrorCode.UNKNOWN_PATIENT_ID: Location("PID", 1, 3),
    ErrorCode.NON_IDENTICAL_HASH: Location("TXA", 1, 12),
    ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY: Location("TXA", 1, 12),
}


def bridge_transactions(bridge: Bridge, target: Target) -> tuple[Hl7v2Transaction, ...]:
    """The rows for ``Endpoint(transactions=…)``: MDM^T02, T06, T08, T10 and ORU^R01."""
    perform = partial(_perform, target)
    return tuple(
        Hl7v2Transaction(
            number=number,
            name=name,
            initiators=(Actor.DOCUMENT_SOURCE,),
            responders=(Actor.DOCUMENT_REPOSITORY,),
            binding=Hl7v2(message_type, triggers, "2.5"),
            decode_request=bridge.convert,
            perform=perform,
        )
        for number, name, message_type, triggers in (
            ("MDM", "Document with content", "MDM", frozenset({"T02", "T06", "T08", "T10"})),
            ("ORU", "Result with a document", "ORU", frozenset({"R01"})),
        )
    )


def _perform(target: Target, actors: Sequence[object], bridged: Bridged | None) -> Any:
    if bridged is None:
        return None  # results without a document are none of ours
    if target.registered(ObjectKind.SUBMISSION_SET, bridged.submission_set.unique_id) is not None:
        return None  # the same message again: its answer was lost
    associations = _associations(target, bridged)
    try:
        answer = target.submit(bridged.submission_set, bridged.documents, associations)
    except (RequestRejected, PeerRejected) as error:
        raise _explained(error) from None
    return _watched(answer) if isinstance(answer, Future) else answer


def _associations(target: Target, bridged: Bridged) -> list[Association]:
    if bridged.parent is None:
        return []
    parent = target.registered(ObjectKind.DOCUMENT_ENTRY, bridged.parent)
    if parent is None:
        where = Location("TXA", 1, 13)
        raise reject(Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, where, "the parent document is not registered")
    relate = appends if bridged.relation is AssociationType.APND else replaces
    return [relate(entry, parent) for entry, _ in bridged.documents]


def _watched(answer: Future[Any]) -> Future[Any]:
    """The same outcome, a refusal in the words of HL7 v2."""
    explained: Future[Any] = Future()
    explained.set_running_or_notify_cancel()

    def done(finished: Future[Any]) -> None:
        error = finished.exception()
        if isinstance(error, RequestRejected):
            explained.set_exception(_explained(error))
        elif error is not None:
            explained.set_exception(error)
        else:
            explained.set_result(finished.result())

    answer.add_done_callback(done)
    return explained


def _explained(error: RequestRejected | PeerRejected) -> Hl7Rejected:
    """One ERR for each RegistryError: its code, and the context where that quotes nothing of the patient."""
    errors = [_error(one) for one in error.errors] or [Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR)]
    again = any(one.code in TRY_AGAIN for one in error.errors)
    return Hl7Rejected(errors, ack_code=AckCode.AR if again else AckCode.AE)


def _error(error: RegistryError) -> Hl7Error:
    place = _PLACES.get(error.code)
    if error.code == ErrorCode.UNKNOWN_PATIENT_ID:  # its context is the identifier
        return Hl7Error(Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER, place, str(error.code))
    return Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, place, f"{error.code}: {error.context}"[:250])
