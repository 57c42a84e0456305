"""What the registry alone makes of merges: ITI TF-2 3.8.4.2.4, condition by condition."""

from __future__ import annotations

import pytest

from tests.xds.registry.build import AUTHORITY, BOTH, OTHER_PATIENT, PATIENT, entry, query, submission
from xds.datatypes.hl7 import CX
from xds.errors import RequestRejected
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.registry import AffinityDomain, DocumentRegistry
from xds.vocab.errors import ErrorCode
from xds.vocab.hl7 import FeedEvent

THIRD = f"P3^^^&{AUTHORITY}&ISO"
STRANGER = f"P9^^^&{AUTHORITY}&ISO"
LOCAL = "7^^^&1.2.3&ISO"


def merge(registry: DocumentRegistry, subsumed: str, survivor: str) -> tuple[str, ...]:
    feed = IdentityFeed(
        event=FeedEvent.MERGE, identifiers=(CX.parse(survivor),), prior_identifiers=(CX.parse(subsumed),)
    )
    return registry.apply_feed(feed).result().merged


def found(registry: DocumentRegistry, patient: str) -> list[str]:
    asked = query("FindDocuments", XDSDocumentEntryPatientId=patient, XDSDocumentEntryStatus=BOTH)
    return [o.patient_id for o in registry.query(asked).objects]


@pytest.fixture
def with_documents(registry: DocumentRegistry) -> DocumentRegistry:
    registry.apply_feed(IdentityFeed(event=FeedEvent.ADMIT, identifiers=(CX.parse(THIRD),))).result()
    for patient in (PATIENT, OTHER_PATIENT, THIRD):
        registry.register(submission(entry(patient=patient)))
    return registry


def test_the_survivor_has_the_documents_of_both_under_its_own_identifier(with_documents: DocumentRegistry) -> None:
    assert merge(with_documents, PATIENT, OTHER_PATIENT) == (PATIENT,)
    assert found(with_documents, OTHER_PATIENT) == [OTHER_PATIENT] * 2
    assert found(with_documents, PATIENT) == []
    with pytest.raises(RequestRejected) as refused:
        with_documents.register(submission(entry(patient=PATIENT)))
    assert refused.value.code is ErrorCode.UNKNOWN_PATIENT_ID


def test_a_chain_leads_to_the_last_survivor(with_documents: DocumentRegistry) -> None:
    merge(with_documents, PATIENT, OTHER_PATIENT)
    merge(with_documents, OTHER_PATIENT, THIRD)
    assert found(with_documents, THIRD) == [THIRD] * 3
    assert found(with_documents, OTHER_PATIENT) == []


def test_a_repeat_is_acknowledged(with_documents: DocumentRegistry) -> None:
    for _ in range(2):
        assert merge(with_documents, PATIENT, OTHER_PATIENT) == (PATIENT,)
    assert found(with_documents, OTHER_PATIENT) == [OTHER_PATIENT] * 2


@pytest.mark.parametrize(
    ("subsumed", "survivor", "reason"),
    [
        (PATIENT, LOCAL, Refusal.FOREIGN_DOMAIN),
        (LOCAL, PATIENT, Refusal.FOREIGN_DOMAIN),
        (LOCAL, "8^^^&1.2.3&ISO", Refusal.FOREIGN_DOMAIN),
        (PATIENT, PATIENT, Refusal.SELF_MERGE),
        (STRANGER, PATIENT, Refusal.UNKNOWN_IDENTIFIER),
        (PATIENT, STRANGER, Refusal.UNKNOWN_SURVIVOR),
    ],
)
def test_nothing_changes_when_the_two_cannot_be_merged(
    with_documents: DocumentRegistry, subsumed: str, survivor: str, reason: Refusal
) -> None:
    with pytest.raises(FeedRejected) as refused:
        merge(with_documents, subsumed, survivor)
    assert refused.value.reason is reason
    assert found(with_documents, PATIENT) == [PATIENT]


@pytest.mark.parametrize(
    ("subsumed", "survivor", "reason"),
    [
        (PATIENT, THIRD, Refusal.ALREADY_SUBSUMED),
        (THIRD, PATIENT, Refusal.ALREADY_SUBSUMED),
        (OTHER_PATIENT, PATIENT, Refusal.CYCLE),
    ],
)
def test_who_was_subsumed_takes_part_in_no_other_merge(
    with_documents: DocumentRegistry, subsumed: str, survivor: str, reason: Refusal
) -> None:
    merge(with_documents, PATIENT, OTHER_PATIENT)
    with pytest.raises(FeedRejected) as refused:
        merge(with_documents, subsumed, survivor)
    assert refused.value.reason is reason
    assert found(with_documents, OTHER_PATIENT) == [OTHER_PATIENT] * 2


def test_merges_of_a_manager_are_left_to_it(with_documents: DocumentRegistry) -> None:
    follower = DocumentRegistry(with_documents.store, domain=AffinityDomain(merges="manager"))
    assert merge(follower, PATIENT, OTHER_PATIENT) == ()
    assert found(follower, PATIENT) == [PATIENT]
