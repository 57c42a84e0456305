from __future__ import annotations

import pytest
from hypothesis import given

from tests.xds.metadata.examples import CODE, REGISTERED
from tests.xds.metadata.strategies import associations
from xds.errors import MalformedMessage
from xds.metadata.association import Association
from xds.vocab.ebrim import AssociationType, Scheme, Status


@given(associations)
def test_what_is_written_reads_back_the_same(value: Association) -> None:
    obj = value.to_object()
    again = Association.from_object(obj)
    assert again == value
    assert again.to_object() == obj


def test_an_association_of_an_update_says_its_statuses_as_urns() -> None:
    obj = Association(
        association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        source_object="SubmissionSet01",
        target_object=REGISTERED,
        original_status=Status.APPROVED,
        new_status=Status.DEPRECATED,
        association_propagation=False,
        documentation=CODE,
    ).to_object()
    assert obj.slots == {
        "OriginalStatus": [Status.APPROVED.urn],
        "NewStatus": [Status.DEPRECATED.urn],
        "AssociationPropagation": ["no"],
    }
    assert [c.code for c in obj.classified_by(Scheme.ASSOCIATION_DOCUMENTATION)] == [CODE.code]
    assert type(obj.association_type) is str


def test_propagation_is_yes_or_no() -> None:
    obj = Association(association_type="x", source_object="a", target_object="b").to_object()
    obj.slots["AssociationPropagation"] = ["maybe"]
    with pytest.raises(MalformedMessage, match="AssociationPropagation"):
        Association.from_object(obj)


def test_a_member_is_known_by_its_type() -> None:
    assert Association(association_type=AssociationType.HAS_MEMBER, source_object="a", target_object="b").is_member
    assert not Association(association_type=AssociationType.RPLC, source_object="a", target_object="b").is_member
