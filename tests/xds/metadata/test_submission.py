from __future__ import annotations

from dataclasses import replace

import pytest

from tests.xds.metadata.examples import CODE, ENTRY, FOLDER, REGISTERED, SUBMISSION_SET
from xds.metadata.association import Association
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.registry_object import Submission
from xds.metadata.rules import check
from xds.metadata.submission import (
    appends,
    build_submission,
    in_folder,
    replaces,
    signs,
    snapshot_of,
    transforms,
    transforms_and_replaces,
)
from xds.vocab.ebrim import AssociationType, Scheme

SECOND = replace(ENTRY, entry_uuid="Document02", unique_id="1.2.3.4")


def members(submission: Submission) -> dict[tuple[str | None, str | None], str | None]:
    return {
        (a.source, a.target): a.slot("SubmissionSetStatus")
        for a in submission.associations
        if a.association_type == AssociationType.HAS_MEMBER
    }


def test_a_document_is_submitted_as_original() -> None:
    submission = build_submission(SUBMISSION_SET, ENTRY)
    assert members(submission) == {("SubmissionSet01", "Document01"): "Original"}
    assert check(submission) == []


def test_what_is_put_into_a_folder_is_submitted_with_it() -> None:
    new_in_new, new_in_old = in_folder(FOLDER, ENTRY), in_folder(REGISTERED, SECOND)
    submission = build_submission(SUBMISSION_SET, [ENTRY, SECOND], FOLDER, [new_in_new, new_in_old])
    assert members(submission) == {
        ("SubmissionSet01", "Document01"): "Original",
        ("SubmissionSet01", "Document02"): "Original",
        ("SubmissionSet01", "Folder01"): None,
        ("Folder01", "Document01"): None,
        (REGISTERED, "Document02"): None,
        ("SubmissionSet01", new_in_new.entry_uuid): None,
        ("SubmissionSet01", new_in_old.entry_uuid): None,
    }
    assert check(submission) == []


def test_registered_entries_are_referred_to() -> None:
    assert members(build_submission(SUBMISSION_SET, references=[REGISTERED])) == {
        ("SubmissionSet01", REGISTERED): "Reference"
    }


def test_what_is_linked_already_is_not_linked_again() -> None:
    own = Association(
        association_type=AssociationType.HAS_MEMBER,
        source_object="SubmissionSet01",
        target_object="Document01",
        submission_set_status="Original",
    )
    assert len(build_submission(SUBMISSION_SET, ENTRY, associations=own).associations) == 1


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (replaces, AssociationType.RPLC),
        (appends, AssociationType.APND),
        (transforms, AssociationType.XFRM),
        (transforms_and_replaces, AssociationType.XFRM_RPLC),
    ],
)
def test_a_relationship_leads_from_the_new_document_to_the_old(make: type[Association], kind: AssociationType) -> None:
    association = make(ENTRY, REGISTERED, documentation=CODE)  # type: ignore[call-arg,misc]
    assert (association.association_type, association.source_object) == (kind, "Document01")
    assert association.target_object == REGISTERED
    assert [c.scheme for c in association.to_object().classifications] == [Scheme.ASSOCIATION_DOCUMENTATION]
    assert check(build_submission(SUBMISSION_SET, ENTRY, associations=association)) == []


def test_signatures_and_snapshots_have_their_own_types() -> None:
    assert signs(ENTRY, SECOND).association_type == AssociationType.SIGNS
    assert snapshot_of(ENTRY, REGISTERED).association_type == AssociationType.IS_SNAPSHOT_OF
    submission = build_submission(
        SUBMISSION_SET, [ENTRY, SECOND], associations=[signs(SECOND, ENTRY), snapshot_of(ENTRY, REGISTERED)]
    )
    assert check(submission) == []


def test_objects_without_ids_of_their_own_can_be_linked() -> None:
    entry = replace(DocumentEntry(), **{name: getattr(ENTRY, name) for name in ("patient_id", "title")})
    association = build_submission(SUBMISSION_SET, entry).associations[0]
    assert association.target == entry.entry_uuid
