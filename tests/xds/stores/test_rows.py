from __future__ import annotations

import pickle
from copy import deepcopy

import pytest

from tests.xds.stores.support import association, entry, folder, submission_set
from xds.ebxml import fragments, xml
from xds.ports import StoredObject
from xds.stores.rows import digest, pack, prepare, shortened, stored, unique_identifier, uuid_bytes, uuid_text
from xds.stores.schema import TOKENS, document_entry
from xds.stores.schema import association as association_table
from xds.stores.schema import folder as folder_table
from xds.stores.schema import submission_set as submission_set_table
from xds.stores.statements import STORED_COLUMNS
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, Status


def test_identifiers_survive_the_way_there_and_back() -> None:
    text = "urn:uuid:0123abcd-0000-4000-8000-00000000000f"
    value = uuid_bytes(text)
    assert value is not None
    assert uuid_text(value) == text
    assert unique_identifier("1.2^ä") == "1.2^ä".encode()


def test_what_stands_for_a_text_never_changes() -> None:
    assert digest("N^^2.16.840.1.113883.5.25") == 0x5A631ECDBBDB
    assert digest("佳") < 2**48
    assert TOKENS["\x03"] == AssociationType.HAS_MEMBER
    assert {*TOKENS.values()} == {*AssociationType, *DocumentEntryType}
    for token, urn in TOKENS.items():
        assert shortened(urn) == token
        with pytest.raises(ValueError):  # so nothing that comes in a message looks like one
            xml.text(token)
    assert shortened("urn:other") == "urn:other"


def test_rows_have_a_value_for_every_column() -> None:
    own_set, document, holder = submission_set("1.1"), entry("1.2", event_code="e^^s"), folder("1.3")
    rows = prepare([own_set, document, holder, association(own_set.id, document.id)])
    assert len(rows.entries[0]) == len(document_entry.columns) - 1
    assert len(rows.sets[0]) == len(submission_set_table.columns) - 1
    assert len(rows.folders[0]) == len(folder_table.columns) - 1
    assert len(rows.associations[0]) == len(association_table.columns) - 2  # the owner comes with the patient
    assert rows.outside == []
    identifiers = [claim.identifier for claim in rows.claims]
    assert len(identifiers) == 7
    assert identifiers == sorted(identifiers)
    assert pickle.loads(pickle.dumps(rows)) == rows


def test_rows_are_packed_once_and_their_other_columns_stay() -> None:
    rows, others = prepare([submission_set("1.1"), entry("1.2"), folder("1.3")]), prepare([entry("1.4")])
    before = deepcopy(rows)
    pack([rows, others])
    once = deepcopy(rows)
    pack([rows])
    assert rows == once
    for table in ("entries", "sets", "folders"):
        [was], [row] = getattr(before, table), getattr(rows, table)
        assert row[:-1] == was[:-1]
        assert row[-1] == fragments.pack([was[-1]])[0]
    assert others.entries[0][-1][0] == fragments.ZSTD_1


def test_ends_that_are_not_in_the_submission_are_noted_once() -> None:
    own_set, elsewhere = submission_set("1.1"), entry("9")
    links = [association(own_set.id, elsewhere.id), association(own_set.id, elsewhere.id)]
    assert prepare([own_set, *links]).outside == [uuid_bytes(elsewhere.id)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2026", 20260101000000),
        ("202602", 20260201000000),
        ("20260203", 20260203000000),
        ("20260203040506", 20260203040506),
    ],
)
def test_times_are_the_earliest_moment_they_may_mean(text: str, number: int) -> None:
    (row,) = prepare([entry("1", creation_time=text)]).entries
    assert dict(zip([c.name for c in document_entry.columns][1:], row, strict=True))["creation_time"] == number


def test_status_lid_and_version_come_from_the_object_or_their_first_values() -> None:
    first = prepare([entry("1")]).entries[0]
    assert first[:4] == (first[0], 1, 1, b"")  # itself
    later = entry("1")
    later.status, later.version, later.lid = Status.DEPRECATED.urn, "3", entry("2").id
    row = prepare([later]).entries[0]
    assert row[1:4] == (2, 3, uuid_bytes(later.lid or ""))


@pytest.mark.parametrize("kind", [k for k in ObjectKind if k is not ObjectKind.UNKNOWN])
def test_a_stored_object_is_made_of_the_columns_that_are_read(kind: ObjectKind) -> None:
    uuid = bytes(range(16))
    values = {
        "patient": 1,
        "entry_uuid": uuid,
        "status": 2,
        "version": 3,
        "lid": uuid,
        "source": uuid,
        "target": uuid,
        "owner": 7,
        "confidentiality_codes": "a\x1eb",
        "last_update_time": 5,
        "creation_time": 5,
        "submission_time": 5,
    }
    row = [values.get(name, name) for name in STORED_COLUMNS[kind]] + [b"fragment"]
    expected = StoredObject(
        kind,
        uuid_text(uuid),
        7 if kind is ObjectKind.ASSOCIATION else 1,
        "P",
        Status.DEPRECATED,
        uuid_text(uuid),
        3,
        b"fragment",
    )
    if kind is ObjectKind.DOCUMENT_ENTRY:
        expected.object_type, expected.format_code = "object_type", "format_code"
        expected.confidentiality_codes = ("a", "b")
    if kind is ObjectKind.ASSOCIATION:
        expected.association_type, expected.source, expected.target = (
            "association_type",
            uuid_text(uuid),
            uuid_text(uuid),
        )
    else:
        expected.unique_id = "unique_id"
    if kind is ObjectKind.FOLDER:
        expected.last_update_time = 5
    assert stored(kind, row, "P", references=False) == expected


@pytest.mark.parametrize("broken", ["id", "unique_id", "source"])
def test_what_the_rules_would_have_refused_is_not_stored(broken: str) -> None:
    document, link = entry("1"), association(entry("2").id, entry("3").id)
    if broken == "id":
        document.id = "Document01"
    elif broken == "unique_id":
        document.external_identifiers.pop(0)
    else:
        link.source = "SubmissionSet01"
    with pytest.raises(ValueError):
        prepare([document, link])
