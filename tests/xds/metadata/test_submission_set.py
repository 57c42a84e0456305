from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given

from tests.xds.metadata.examples import SUBMISSION_SET
from tests.xds.metadata.strategies import submission_sets
from xds.datatypes.hl7 import XCN, XON, XTN
from xds.metadata.submission_set import IntendedRecipient, SubmissionSet
from xds.vocab.ebrim import Node, ObjectKind


@given(submission_sets)
def test_what_is_written_reads_back_the_same(value: SubmissionSet) -> None:
    obj = value.to_object()
    again = SubmissionSet.from_object(obj)
    assert again == value
    assert again.to_object() == obj


def test_every_attribute_goes_there_and_back() -> None:
    obj = SUBMISSION_SET.to_object()
    assert obj.kind is ObjectKind.SUBMISSION_SET
    again = SubmissionSet.from_object(obj)
    for field in fields(SubmissionSet):
        assert getattr(again, field.name) == getattr(SUBMISSION_SET, field.name), field.name


def test_values_can_be_members_of_sets() -> None:
    assert len({SUBMISSION_SET, SubmissionSet.from_object(SUBMISSION_SET.to_object())}) == 1


def test_the_time_of_submission_is_now_unless_it_is_given() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    made = SubmissionSet().submission_time
    assert made is not None
    assert before <= made.earliest <= datetime.now(UTC)
    assert SubmissionSet(submission_time=None).submission_time is None


@pytest.mark.parametrize(
    ("text", "recipient"),
    [
        ("Clinic", IntendedRecipient(XON("Clinic"))),
        ("|^Li", IntendedRecipient(person=XCN(family_name="Li"))),
        ("||^NET^Internet^a@b", IntendedRecipient(telecommunication=XTN.internet("a@b"))),
        ("Clinic|^Li|^NET^Internet^a@b", IntendedRecipient(XON("Clinic"), XCN(family_name="Li"), XTN.internet("a@b"))),
    ],
)
def test_an_intended_recipient_is_up_to_three_parts(text: str, recipient: IntendedRecipient) -> None:
    assert IntendedRecipient.parse(text) == recipient
    assert str(recipient) == text
    assert SubmissionSet(intended_recipient=text).intended_recipient == (recipient,)


def test_the_marker_is_in_the_package() -> None:
    nodes = [c.node for c in SUBMISSION_SET.to_object().classifications if c.node]
    assert nodes == [Node.SUBMISSION_SET]
