from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from xds.datatypes.ids import (
    HomeCommunityId,
    is_home_community_id,
    is_oid,
    is_symbolic,
    is_uuid,
    new_oid,
    new_uuid,
)


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("1.2.156.112700.9.10", True),
        ("2.25.267241352778226683619515102048382761723", True),
        ("0.4", True),
        ("1.0.3", True),
        ("1" + ".9" * 31 + "9", True),  # 64 characters
        ("1" + ".9" * 32, False),
        ("1", False),
        ("3.1", False),
        ("1.02", False),
        ("1..2", False),
        ("1.2.", False),
        (".1.2", False),
        ("1.2\n", False),
        ("1.2a", False),
        ("1.٣", False),
        ("", False),
    ],
)
def test_an_oid_is_arcs_without_leading_zeros_of_at_most_64_characters(text: str, legal: bool) -> None:
    assert is_oid(text) is legal


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", True),
        ("urn:uuid:58A6F841-87b3-4a3e-92fd-a8ffeff98427", False),
        ("58a6f841-87b3-4a3e-92fd-a8ffeff98427", False),
        ("urn:uuid:58a6f84187b34a3e92fda8ffeff98427", False),
        ("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427\n", False),
        ("Document01", False),
    ],
)
def test_a_uuid_is_a_urn_in_lower_case(text: str, legal: bool) -> None:
    assert is_uuid(text) is legal


def test_an_id_is_symbolic_unless_it_begins_as_a_uuid() -> None:
    assert is_symbolic("Document01")
    assert is_symbolic("urn:oid:1.2.3")
    assert not is_symbolic("urn:uuid:broken")


def test_new_uuids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    made = [new_uuid() for _ in range(50)]
    assert all(is_uuid(one) for one in made)
    assert {uuid.UUID(one[9:]).version for one in made} == {7}
    assert {uuid.UUID(one[9:]).variant for one in made} == {uuid.RFC_4122}
    times = [uuid.UUID(one[9:]).int >> 80 for one in made]
    assert times == sorted(times)


def test_ids_made_at_once_in_many_threads_all_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for batch in pool.map(lambda _: [new_uuid() for _ in range(500)], range(8)) for one in batch]
    assert len(set(made)) == len(made)


def test_a_new_oid_is_one_and_never_the_same() -> None:
    made = {new_oid() for _ in range(100)}
    assert len(made) == 100
    assert all(is_oid(one) for one in made)


def test_a_home_community_id_is_read_and_written_as_a_urn() -> None:
    assert str(HomeCommunityId.parse("urn:oid:1.2.3")) == "urn:oid:1.2.3"
    assert HomeCommunityId("1.2.3") == HomeCommunityId.parse("urn:oid:1.2.3")


@pytest.mark.parametrize("text", ["1.2.3", "urn:oid:", "urn:oid:x", "urn:uuid:1.2.3", "urn:oid:" + "1.1" * 30])
def test_what_is_no_home_community_id_is_refused(text: str) -> None:
    assert not is_home_community_id(text)
    with pytest.raises(ValueError):
        HomeCommunityId.parse(text)
