"""Every stored query with every parameter, on one small registry where each object has a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.xds.registry.build import (
    APPROVED,
    AUTHORITY,
    BOTH,
    DEPRECATED,
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    fresh_uuid,
    member,
    query,
    submission,
    submission_set,
    uuid,
)
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject
from xds.ports import StoredObject
from xds.registry import AffinityDomain, DocumentRegistry
from xds.stores import open_store
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, SlotName, Status
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import STORED_QUERIES

A = AssociationType
BOTH_TYPES = list(DocumentEntryType)
REFERENCE_1 = "R_1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order"
REFERENCE_2 = "R_2^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"
UNIQUE = {
    name: f"1.2.840.1.{number}" for number, name in enumerate(("report", "letter", "image", "other", "set", "case"), 1)
}


class World:
    """A registry whose objects have names."""

    def __init__(self, folder_path: Path) -> None:
        self.store = open_store(f"sqlite:///{folder_path / 'xds.sqlite'}", documents=folder_path / "docs", sweep=False)
        self.registry = DocumentRegistry(self.store, clock=lambda: datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC))
        self.names: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        for patient in (PATIENT, OTHER_PATIENT):
            self.store.transaction(lambda t, p=patient: t.announce(p))  # type: ignore[misc]

    def id(self, name: str) -> str:
        if name not in self.ids:
            self.ids[name] = fresh_uuid()
            self.names[self.ids[name]] = name
        return self.ids[name]

    def ask(self, query_name: str, *, leaf: bool = True, **parameters: object) -> list[str]:
        result = self.registry.query(query(query_name, leaf=leaf, **parameters))
        return [self.name(o) for o in result.objects]

    def name(self, o: StoredObject) -> str:
        """Objects by their name, Associations by the names of their ends."""
        if o.kind is ObjectKind.ASSOCIATION:
            return f"{self.end(o.source)}>{self.end(o.target)}"
        return self.names[o.entry_uuid]

    def end(self, entry_uuid: str) -> str:
        if entry_uuid in self.names:
            return self.names[entry_uuid]
        [found] = self.store.read(lambda reader: reader.by_uuid([entry_uuid]))
        return self.name(found)

    def register(self, set_name: str, *objects: RegistryObject, **of: str) -> None:
        patient = next((o.patient_id for o in objects if o.patient_id), PATIENT)
        chosen = submission_set(self.id(set_name), patient=patient, **of)
        self.registry.register(submission(*objects, of=chosen))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    w = World(tmp_path_factory.mktemp("queries"))
    w.register(
        "set",
        entry(
            w.id("report"), unique=UNIQUE["report"], created="20200115", service=("202001", "20200120"),
            class_code="c1", type_code="t1", format_code="f1", practice_setting_code="p1",
            healthcare_facility_type_code="h1", event_code=("e1", "e2"), confidentiality_code="N",
            title="Discharge summary", authors=[("^Smitty^Gerald", ["Main Hospital"]), ("^Wang^Wei", [])],
            slots={SlotName.REFERENCE_ID_LIST: [REFERENCE_1]},
        ),
        entry(
            w.id("letter"), unique=UNIQUE["letter"], created="20210601103000", service=("20210601", "20210602"),
            class_code="c2", type_code="t2", format_code="f2", practice_setting_code="p2",
            healthcare_facility_type_code="h2", event_code="e1", confidentiality_code=("N", "R"),
            title="Letter", authors=[("^Smith^Anna", ["Clinic 100%"])],
            slots={SlotName.REFERENCE_ID_LIST: [REFERENCE_1, REFERENCE_2]},
        ),
        folder(w.id("case"), unique=UNIQUE["case"], codes=("k1", "k2")),
        member(w.id("case"), w.id("letter")),
        submitted="20210602", source_id="1.2.3.5", content_type="ct1", person="^Smitty^Gerald", unique=UNIQUE["set"],
    )  # fmt: skip
    w.register(
        "second set",
        entry(
            w.id("image"), unique=UNIQUE["image"], created="2022", class_code="c1", event_code=(),
            confidentiality_code="R", format_code="f1", title="discharge summary",
        ),
        association(A.XFRM, w.id("image"), w.id("report")),
        folder(w.id("binder"), codes=("k1",)),
        submitted="20220101", source_id="1.2.3.6", content_type="ct2", person="^Wang^Wei",
    )  # fmt: skip
    w.register(
        "third set", entry(w.id("new letter"), created="2023"), association(A.RPLC, w.id("new letter"), w.id("letter"))
    )
    w.register("other set", entry(w.id("other"), unique=UNIQUE["other"], patient=OTHER_PATIENT))
    reference = member(w.id("fourth set"), w.id("other"), status="Reference")
    w.register("fourth set", reference, folder(w.id("shelf")), member(w.id("shelf"), w.id("report")))
    live = entry(w.id("live"), object_type=DocumentEntryType.ON_DEMAND, created="20190101")
    live.lid, live.version, live.status = live.id, "1", APPROVED
    del live.slots[SlotName.CREATION_TIME]
    prepared = w.store.prepare([live])
    w.store.transaction(lambda t: t.insert(prepared, t.lock_patient(PATIENT).key))  # type: ignore[union-attr]
    w.register(
        "fifth set", entry(w.id("snapshot"), created="2024"), association(A.IS_SNAPSHOT_OF, w.id("snapshot"), live.id)
    )
    yield w
    w.store.close()


KEYS = {"XDSDocumentEntryPatientId": PATIENT, "XDSDocumentEntryStatus": [APPROVED]}
S = "^^1.2.3.4"  # codes of build.py
ALL_APPROVED = {"report", "image", "new letter", "snapshot"}


# --------------------------------------------------------------------------- FindDocuments


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ALL_APPROVED),
        ({"XDSDocumentEntryStatus": [DEPRECATED]}, {"letter"}),
        ({"XDSDocumentEntryStatus": BOTH}, ALL_APPROVED | {"letter"}),
        ({"XDSDocumentEntryPatientId": OTHER_PATIENT}, {"other"}),
        ({"XDSDocumentEntryPatientId": f"nobody^^^&{AUTHORITY}&ISO"}, set()),
        ({"XDSDocumentEntryClassCode": [f"c1{S}"]}, {"report", "image"}),
        (
            {"XDSDocumentEntryClassCode": [f"c1{S}", f"c2{S}"], "XDSDocumentEntryStatus": BOTH},
            {"report", "image", "letter"},
        ),
        ({"XDSDocumentEntryClassCode": ["c1^^other scheme"]}, set()),
        ({"XDSDocumentEntryClassCode": [f"C1{S}"]}, set()),
        ({"XDSDocumentEntryTypeCode": [f"t1{S}"]}, {"report"}),
        ({"XDSDocumentEntryPracticeSettingCode": [f"p1{S}"]}, {"report"}),
        ({"XDSDocumentEntryHealthcareFacilityTypeCode": [f"h1{S}"]}, {"report"}),
        ({"XDSDocumentEntryFormatCode": [f"f1{S}"]}, {"report", "image"}),
        ({"XDSDocumentEntryEventCodeList": [f"e1{S}"], "XDSDocumentEntryStatus": BOTH}, {"report", "letter"}),
        ({"XDSDocumentEntryEventCodeList": [[f"e1{S}"], [f"e2{S}"]], "XDSDocumentEntryStatus": BOTH}, {"report"}),
        ({"XDSDocumentEntryEventCodeList": [f"e2{S}", f"e3{S}"]}, {"report"}),
        ({"XDSDocumentEntryConfidentialityCode": [f"R{S}"], "XDSDocumentEntryStatus": BOTH}, {"letter", "image"}),
        ({"XDSDocumentEntryConfidentialityCode": [[f"N{S}"], [f"R{S}"]], "XDSDocumentEntryStatus": BOTH}, {"letter"}),
        ({"XDSDocumentEntryCreationTimeFrom": "20200115"}, ALL_APPROVED),
        ({"XDSDocumentEntryCreationTimeFrom": "20200116"}, ALL_APPROVED - {"report"}),
        ({"XDSDocumentEntryCreationTimeTo": "20200115"}, set()),
        ({"XDSDocumentEntryCreationTimeTo": "20200116"}, {"report"}),
        ({"XDSDocumentEntryCreationTimeFrom": "2021", "XDSDocumentEntryCreationTimeTo": "2023"}, {"image"}),
        ({"XDSDocumentEntryCreationTimeFrom": "20220101000000"}, {"image", "new letter", "snapshot"}),
        # an entry without the time is not excluded by it
        ({"XDSDocumentEntryServiceStartTimeFrom": "2021"}, ALL_APPROVED - {"report"}),
        ({"XDSDocumentEntryServiceStartTimeTo": "20200101"}, ALL_APPROVED - {"report"}),
        ({"XDSDocumentEntryServiceStartTimeTo": "20200102"}, ALL_APPROVED),
        ({"XDSDocumentEntryServiceStopTimeFrom": "20200120"}, ALL_APPROVED),
        ({"XDSDocumentEntryServiceStopTimeFrom": "20200121"}, ALL_APPROVED - {"report"}),
        ({"XDSDocumentEntryServiceStopTimeTo": "20200120"}, ALL_APPROVED - {"report"}),
        ({"XDSDocumentEntryAuthorPerson": ["^Smitty^Gerald"]}, {"report"}),
        ({"XDSDocumentEntryAuthorPerson": ["Smitty"]}, set()),
        ({"XDSDocumentEntryAuthorPerson": ["%Smit%"], "XDSDocumentEntryStatus": BOTH}, {"report", "letter"}),
        ({"XDSDocumentEntryAuthorPerson": ["^Smit_^%"], "XDSDocumentEntryStatus": BOTH}, {"letter"}),
        ({"XDSDocumentEntryAuthorPerson": ["%smit%"]}, set()),
        ({"XDSDocumentEntryAuthorPerson": ["%Wang%", "%Anna%"], "XDSDocumentEntryStatus": BOTH}, {"report", "letter"}),
        ({"XDSDocumentEntryType": [DocumentEntryType.ON_DEMAND]}, {"live"}),
        ({"XDSDocumentEntryType": BOTH_TYPES}, ALL_APPROVED | {"live"}),
        ({"XDSDocumentEntryType": BOTH_TYPES, "XDSDocumentEntryCreationTimeFrom": "2024"}, {"snapshot", "live"}),
        ({"XDSDocumentEntryType": [uuid(1)]}, set()),
        ({"MetadataLevel": 2}, ALL_APPROVED),
    ],
)
def test_find_documents(world: World, parameters: dict[str, object], expected: set[str]) -> None:
    found = world.ask("FindDocuments", **{**KEYS, **parameters})
    assert set(found) == expected
    assert len(found) == len(expected)
    assert world.ask("FindDocuments", leaf=False, **{**KEYS, **parameters}) == found


def test_the_newest_document_comes_first(world: World) -> None:
    assert world.ask("FindDocuments", **KEYS) == ["snapshot", "new letter", "image", "report"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([REFERENCE_1], {"report", "letter"}),
        ([REFERENCE_2, "x"], {"letter"}),
        ([[REFERENCE_1], [REFERENCE_2]], {"letter"}),
        (["R_1^^^&1.2.3&ISO"], set()),
        (["R%order"], {"report", "letter"}),
        ([["%order"], ["%accession"]], {"letter"}),
        (["%ORDER"], set()),
    ],
)
def test_find_documents_by_reference_id(world: World, groups: Sequence[object], expected: set[str]) -> None:
    parameters = {**KEYS, "XDSDocumentEntryStatus": BOTH, "XDSDocumentEntryReferenceIdList": groups}
    assert set(world.ask("FindDocumentsByReferenceId", **parameters)) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"XDSDocumentEntryTitle": ["Discharge summary"]}, {"report"}),
        ({"XDSDocumentEntryTitle": ["_ischarge%"]}, {"report", "image"}),
        ({"XDSDocumentEntryTitle": ["%"], "XDSDocumentEntryAuthorInstitution": ["Clinic%"]}, {"letter"}),
        ({"XDSDocumentEntryTitle": ["%"], "XDSDocumentEntryAuthorInstitution": ["clinic%"]}, set()),
    ],
)
def test_find_documents_by_title(world: World, parameters: dict[str, object], expected: set[str]) -> None:
    keys = {**KEYS, "XDSDocumentEntryStatus": BOTH}
    assert set(world.ask("FindDocumentsByTitle", **keys, **parameters)) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"report", "image", "letter", "new letter", "snapshot"}),
        ({"XDSDocumentEntryClassCodeExclude": [f"c1{S}", f"default{S}"]}, {"letter"}),
        ({"XDSDocumentEntryTypeCodeExclude": [f"t1{S}", f"default{S}"]}, {"letter"}),
        ({"XDSDocumentEntryPracticeSettingCodeExclude": [f"default{S}"]}, {"report", "letter"}),
        ({"XDSDocumentEntryHealthcareFacilityTypeCodeExclude": [f"default{S}"]}, {"report", "letter"}),
        ({"XDSDocumentEntryFormatCodeExclude": [f"f1{S}", f"default{S}"]}, {"letter"}),
        ({"XDSDocumentEntryEventCodeListExclude": [f"e1{S}"]}, {"image", "new letter", "snapshot"}),
        ({"XDSDocumentEntryConfidentialityCodeExclude": [f"R{S}", f"default{S}"]}, {"report"}),
        ({"XDSDocumentEntryAuthorPersonExclude": ["%Smit%"]}, {"image", "new letter", "snapshot"}),
        ({"XDSDocumentEntryReferenceIdListExclude": [REFERENCE_2]}, {"report", "image", "new letter", "snapshot"}),
        ({"XDSDocumentEntryTypeExclude": [DocumentEntryType.STABLE]}, {"live"}),
        ({"XDSDocumentEntryTypeExclude": BOTH_TYPES}, set()),
        (
            {"XDSDocumentEntryClassCode": [f"c1{S}"], "XDSDocumentEntryFormatCodeExclude": [f"f2{S}"]},
            {"report", "image"},
        ),
    ],
)
def test_find_documents_exclude(world: World, parameters: dict[str, object], expected: set[str]) -> None:
    keys = {**KEYS, "XDSDocumentEntryStatus": BOTH}
    assert set(world.ask("FindDocumentsExclude", **keys, **parameters)) == expected


# --------------------------------------------------------------------------- FindSubmissionSets, FindFolders, GetAll

SETS = {"set", "second set", "third set", "fourth set", "fifth set"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, SETS),
        ({"XDSSubmissionSetStatus": [DEPRECATED]}, set()),
        ({"XDSSubmissionSetPatientId": OTHER_PATIENT}, {"other set"}),
        ({"XDSSubmissionSetSourceId": ["1.2.3.5", "1.2.3.6"]}, {"set", "second set"}),
        ({"XDSSubmissionSetContentType": [f"ct1{S}"]}, {"set"}),
        ({"XDSSubmissionSetAuthorPerson": "%Wang%"}, {"second set"}),
        ({"XDSSubmissionSetSubmissionTimeFrom": "20210602", "XDSSubmissionSetSubmissionTimeTo": "20220101"}, {"set"}),
        (
            {"XDSSubmissionSetSubmissionTimeFrom": "20210603", "XDSSubmissionSetSubmissionTimeTo": "20220102"},
            {"second set"},
        ),
    ],
)
def test_find_submission_sets(world: World, parameters: dict[str, object], expected: set[str]) -> None:
    keys = {"XDSSubmissionSetPatientId": PATIENT, "XDSSubmissionSetStatus": [APPROVED]}
    assert set(world.ask("FindSubmissionSets", **{**keys, **parameters})) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"case", "binder", "shelf"}),
        ({"XDSFolderStatus": [DEPRECATED]}, set()),
        ({"XDSFolderPatientId": OTHER_PATIENT}, set()),
        ({"XDSFolderCodeList": [f"k1{S}", f"k2{S}"]}, {"case", "binder"}),
        ({"XDSFolderCodeList": [[f"k1{S}"], [f"k2{S}"]]}, {"case"}),
        ({"XDSFolderLastUpdateTimeFrom": "20260301120001"}, {"case"}),
        # the upper end of this range, and of no other, is inclusive
        ({"XDSFolderLastUpdateTimeTo": "20260301120001"}, {"binder", "shelf", "case"}),
        ({"XDSFolderLastUpdateTimeTo": "20260301120000"}, {"binder", "shelf"}),
        ({"XDSFolderLastUpdateTimeTo": "20260301115959"}, set()),
    ],
)
def test_find_folders(world: World, parameters: dict[str, object], expected: set[str]) -> None:
    keys = {"XDSFolderPatientId": PATIENT, "XDSFolderStatus": [APPROVED]}
    assert set(world.ask("FindFolders", **{**keys, **parameters})) == expected


def get_all(**more: object) -> dict[str, object]:
    statuses = {name: [APPROVED] for name in ("XDSDocumentEntryStatus", "XDSSubmissionSetStatus", "XDSFolderStatus")}
    return {"patientId": PATIENT, **statuses, **more}


def test_get_all_returns_the_patient_and_every_association_that_touches_it(world: World) -> None:
    found = world.ask("GetAll", **get_all())
    assert {name for name in found if ">" not in name} == SETS | ALL_APPROVED | {"case", "binder", "shelf"}
    # also those that lead to another patient's entry, a Deprecated one, an On-Demand one
    assert {"fourth set>other", "new letter>letter", "set>letter", "snapshot>live"} <= set(found)
    assert len(found) == len(set(found))
    assert "other set>other" not in found


@pytest.mark.parametrize(
    ("parameters", "entries"),
    [
        ({"XDSDocumentEntryStatus": [DEPRECATED]}, {"letter"}),
        ({"XDSDocumentEntryFormatCode": [f"f1{S}"]}, {"report", "image"}),
        ({"XDSDocumentEntryConfidentialityCode": [f"N{S}"]}, {"report"}),
        ({"XDSDocumentEntryType": [DocumentEntryType.ON_DEMAND]}, {"live"}),
    ],
)
def test_get_all_filters_entries_only(world: World, parameters: dict[str, object], entries: set[str]) -> None:
    found = {name for name in world.ask("GetAll", **get_all(**parameters)) if ">" not in name}
    assert found == SETS | entries | {"case", "binder", "shelf"}


def test_get_all_filters_associations_by_status(world: World) -> None:
    found = world.ask("GetAll", **get_all(XDSAssociationStatus=[DEPRECATED]))
    assert not any(">" in name for name in found)


def test_get_all_of_nobody_is_empty(world: World) -> None:
    assert world.ask("GetAll", **get_all(patientId=f"nobody^^^&{AUTHORITY}&ISO")) == []


# --------------------------------------------------------------------------- Get… by identifiers


def test_get_documents_by_uuid_in_any_status_in_the_order_asked(world: World) -> None:
    wanted = ["letter", "report"]
    uuids = [world.id("letter"), fresh_uuid(), world.id("report"), world.id("case"), world.id("letter")]
    assert world.ask("GetDocuments", XDSDocumentEntryEntryUUID=uuids) == wanted
    assert world.ask("GetDocuments", XDSDocumentEntryLogicalID=uuids, MetadataLevel=2) == wanted


def test_get_documents_by_unique_id(world: World) -> None:
    ids = [UNIQUE["image"], "1.2.3.999", UNIQUE["letter"], UNIQUE["case"]]
    assert world.ask("GetDocuments", XDSDocumentEntryUniqueId=ids) == ["image", "letter"]


def test_get_folders(world: World) -> None:
    uuids = [world.id("case"), world.id("report")]
    assert world.ask("GetFolders", XDSFolderEntryUUID=uuids) == ["case"]
    assert world.ask("GetFolders", XDSFolderUniqueId=[UNIQUE["case"]]) == ["case"]
    assert world.ask("GetFolders", XDSFolderLogicalID=[world.id("binder")]) == ["binder"]


def test_get_associations(world: World) -> None:
    found = world.ask("GetAssociations", uuid=[world.id("letter"), world.id("binder")])
    assert sorted(found) == sorted(["set>letter", "case>letter", "new letter>letter", "second set>binder"])
    assert world.ask("GetAssociations", uuid=[world.id("letter")], XDSAssociationStatus=[DEPRECATED]) == []
    assert world.ask("GetAssociations", uuid=[fresh_uuid()]) == []


def test_get_documents_and_associations(world: World) -> None:
    found = world.ask("GetDocumentsAndAssociations", XDSDocumentEntryUniqueId=[UNIQUE["report"]])
    assert found[0] == "report"
    assert sorted(found[1:]) == sorted(["set>report", "image>report", "shelf>report"])
    assert world.ask("GetDocumentsAndAssociations", XDSDocumentEntryEntryUUID=[world.id("report")]) == found


def test_get_submission_sets(world: World) -> None:
    found = world.ask("GetSubmissionSets", uuid=[world.id("letter"), world.id("case"), world.id("binder")])
    assert set(found) == {"set", "second set", "set>letter", "set>case", "second set>binder"}
    assert len(found) == 5


def test_get_submission_set_and_contents(world: World) -> None:
    expected = [
        "set",
        "report",
        "letter",
        "case",
        "set>report",
        "set>letter",
        "set>case",
        "case>letter",
        "set>case>letter",
    ]
    found = world.ask("GetSubmissionSetAndContents", XDSSubmissionSetEntryUUID=world.id("set"))
    assert sorted(found) == sorted(expected)
    assert world.ask("GetSubmissionSetAndContents", XDSSubmissionSetUniqueId=UNIQUE["set"]) == found
    assert world.ask("GetSubmissionSetAndContents", XDSSubmissionSetEntryUUID=world.id("report")) == []


@pytest.mark.parametrize(
    ("parameters", "entries"),
    [
        ({"XDSDocumentEntryFormatCode": [f"f1{S}"]}, {"report"}),
        ({"XDSDocumentEntryConfidentialityCode": [[f"N{S}"], [f"R{S}"]]}, {"letter"}),
        ({"XDSDocumentEntryConfidentialityCode": [f"X{S}"]}, set()),
        ({"XDSDocumentEntryType": [DocumentEntryType.ON_DEMAND]}, set()),
        ({"XDSDocumentEntryType": BOTH_TYPES}, {"report", "letter"}),
    ],
)
@pytest.mark.parametrize("leaf", [True, False])
def test_the_contents_of_a_set_are_filtered_with_their_associations(
    world: World, parameters: dict[str, object], entries: set[str], leaf: bool
) -> None:
    found = set(
        world.ask("GetSubmissionSetAndContents", leaf=leaf, XDSSubmissionSetEntryUUID=world.id("set"), **parameters)
    )
    assert found & {"report", "letter"} == entries
    assert {"set>report", "set>letter"} & found == {f"set>{name}" for name in entries}
    assert ("case>letter" in found) == ("set>case>letter" in found) == ("letter" in entries)


def test_folder_contents_outside_the_set_are_not_returned_with_it(world: World) -> None:
    found = world.ask("GetSubmissionSetAndContents", leaf=False, XDSSubmissionSetEntryUUID=world.id("fourth set"))
    assert sorted(found) == sorted(["fourth set", "other", "shelf", "fourth set>other", "fourth set>shelf"])


def test_get_folder_and_contents(world: World) -> None:
    expected = ["case", "letter", "new letter", "case>letter", "case>new letter"]
    found = world.ask("GetFolderAndContents", XDSFolderUniqueId=UNIQUE["case"])
    assert sorted(found) == sorted(expected)
    assert world.ask("GetFolderAndContents", XDSFolderEntryUUID=world.id("case")) == found
    filtered = {"XDSDocumentEntryConfidentialityCode": [f"R{S}"]}
    assert set(world.ask("GetFolderAndContents", XDSFolderEntryUUID=world.id("case"), **filtered)) == {
        "case",
        "letter",
        "case>letter",
    }
    assert world.ask(
        "GetFolderAndContents", XDSFolderEntryUUID=world.id("case"), XDSAssociationStatus=[DEPRECATED]
    ) == ["case"]
    assert world.ask("GetFolderAndContents", XDSFolderEntryUUID=fresh_uuid()) == []


def test_get_folders_for_document(world: World) -> None:
    assert world.ask("GetFoldersForDocument", XDSDocumentEntryEntryUUID=world.id("letter")) == ["case"]
    assert world.ask("GetFoldersForDocument", XDSDocumentEntryUniqueId=UNIQUE["report"]) == ["shelf"]
    assert world.ask("GetFoldersForDocument", XDSDocumentEntryEntryUUID=world.id("image")) == []


@pytest.mark.parametrize(
    ("name", "types", "more", "expected"),
    [
        ("report", [A.XFRM, A.RPLC], {}, {"report", "image", "image>report"}),
        ("image", [A.XFRM], {}, {"report", "image", "image>report"}),
        ("letter", [A.RPLC], {}, {"letter", "new letter", "new letter>letter"}),
        ("letter", [A.XFRM], {}, set()),
        ("letter", [A.HAS_MEMBER], {}, set()),
        ("letter", ["urn:unknown"], {}, set()),
        ("snapshot", [A.IS_SNAPSHOT_OF], {}, set()),
        ("snapshot", [A.IS_SNAPSHOT_OF], {"XDSDocumentEntryType": BOTH_TYPES}, {"snapshot", "live", "snapshot>live"}),
        ("report", [A.XFRM], {"XDSAssociationStatus": [DEPRECATED]}, set()),
    ],
)
def test_get_related_documents(
    world: World, name: str, types: list[str], more: dict[str, object], expected: set[str]
) -> None:
    found = world.ask("GetRelatedDocuments", XDSDocumentEntryEntryUUID=world.id(name), AssociationTypes=types, **more)
    assert set(found) == expected
    assert len(found) == len(expected)


# --------------------------------------------------------------------------- several patients, too many, nobody


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("GetDocuments", {"XDSDocumentEntryEntryUUID": ["report", "other"]}),
        ("GetDocumentsAndAssociations", {"XDSDocumentEntryEntryUUID": ["report", "other"]}),
        ("GetSubmissionSets", {"uuid": ["report", "other"]}),
        ("GetSubmissionSetAndContents", {"XDSSubmissionSetEntryUUID": "fourth set"}),
    ],
)
def test_leaf_class_does_not_mix_patients_and_object_ref_may(
    world: World, name: str, parameters: dict[str, object]
) -> None:
    ids = {
        key: [world.id(v) for v in value] if isinstance(value, list) else world.id(str(value))
        for key, value in parameters.items()
    }
    with pytest.raises(RequestRejected) as caught:
        world.ask(name, **ids)
    assert caught.value.code == ErrorCode.RESULT_NOT_SINGLE_PATIENT
    assert world.ask(name, leaf=False, **ids)


def test_get_associations_may_touch_several_patients(world: World) -> None:
    assert "fourth set>other" in world.ask("GetAssociations", uuid=[world.id("report"), world.id("other")])


def test_references_come_without_fragments(world: World) -> None:
    result = world.registry.query(query("GetDocuments", leaf=False, XDSDocumentEntryEntryUUID=[world.id("report")]))
    assert result.references
    assert [o.fragment for o in result.objects] == [b""]


PARAMETERS: dict[str, dict[str, object]] = {
    "FindDocuments": KEYS,
    "FindSubmissionSets": {"XDSSubmissionSetPatientId": PATIENT, "XDSSubmissionSetStatus": [APPROVED]},
    "FindFolders": {"XDSFolderPatientId": PATIENT, "XDSFolderStatus": [APPROVED]},
    "GetAll": get_all(),
    "GetDocuments": {"XDSDocumentEntryEntryUUID": ["report", "image"]},
    "GetFolders": {"XDSFolderEntryUUID": ["case", "binder"]},
    "GetAssociations": {"uuid": ["report"]},
    "GetDocumentsAndAssociations": {"XDSDocumentEntryEntryUUID": ["report"]},
    "GetSubmissionSets": {"uuid": ["report"]},
    "GetSubmissionSetAndContents": {"XDSSubmissionSetEntryUUID": "set"},
    "GetFolderAndContents": {"XDSFolderEntryUUID": "case"},
    "GetFoldersForDocument": {"XDSDocumentEntryEntryUUID": "report"},
    "GetRelatedDocuments": {"XDSDocumentEntryEntryUUID": "report", "AssociationTypes": [A.XFRM]},
    "FindDocumentsByReferenceId": {
        **KEYS,
        "XDSDocumentEntryStatus": BOTH,
        "XDSDocumentEntryReferenceIdList": [REFERENCE_1],
    },
    "FindDocumentsByTitle": {**KEYS, "XDSDocumentEntryTitle": ["%"]},
    "FindDocumentsExclude": KEYS,
}


def ids_in(world: World, parameters: dict[str, object]) -> dict[str, object]:
    """``parameters`` with the names of objects replaced by their entryUUIDs."""

    def translate(value: object) -> object:
        if isinstance(value, list):
            return [translate(v) for v in value]
        return world.ids.get(value, value) if isinstance(value, str) else value

    return {key: translate(value) for key, value in parameters.items()}


@pytest.mark.parametrize("name", [q.name for q in STORED_QUERIES])
def test_a_query_with_one_result_too_many_is_refused(world: World, name: str) -> None:
    request = query(name, **ids_in(world, PARAMETERS[name]))
    size = len(world.registry.query(request).objects)
    assert size >= 1
    enough = DocumentRegistry(world.store, domain=AffinityDomain(max_results=size))
    assert len(enough.query(request).objects) == size
    short = DocumentRegistry(world.store, domain=AffinityDomain(max_results=size - 1))
    with pytest.raises(RequestRejected) as caught:
        short.query(request)
    assert caught.value.code == ErrorCode.TOO_MANY_RESULTS


@pytest.mark.parametrize(
    "name", ["FindDocuments", "FindSubmissionSets", "FindFolders", "GetAll", "FindDocumentsByTitle"]
)
def test_a_domain_may_refuse_queries_for_unknown_patients(world: World, name: str) -> None:
    registry = DocumentRegistry(world.store, domain=AffinityDomain(unknown_patient="error"))
    nobody = f"nobody^^^&{AUTHORITY}&ISO"
    parameters = {key: nobody if value == PATIENT else value for key, value in PARAMETERS[name].items()}
    with pytest.raises(RequestRejected) as caught:
        registry.query(query(name, **parameters))
    assert caught.value.code == ErrorCode.UNKNOWN_PATIENT_ID
    assert world.registry.query(query(name, **parameters)).objects == []


def test_the_home_community_goes_with_the_answer(world: World) -> None:
    home = "urn:oid:1.2.3"
    registry = DocumentRegistry(world.store, domain=AffinityDomain(home_community_id=home))
    assert registry.query(query("FindDocuments", **KEYS)).home == home


def test_what_was_tolerated_is_counted(world: World) -> None:
    registry = DocumentRegistry(world.store)
    proper = query("FindDocuments", **KEYS)
    bare = tuple((name, tuple(v.strip("'") for v in values)) for name, values in proper.parameters)
    registry.query(type(proper)(proper.query_id, proper.return_type, bare))
    assert sum(registry.tolerated.counts().values()) == 1


def test_status_is_what_the_store_says_now(world: World) -> None:
    [found] = world.registry.query(query("GetDocuments", XDSDocumentEntryEntryUUID=[world.id("letter")])).objects
    assert found.status is Status.DEPRECATED
