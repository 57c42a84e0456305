"""Reading, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.xds.stores.support import (
    DE,
    FD,
    OTHER_PATIENT,
    PATIENT,
    SS,
    association,
    entry,
    find,
    folder,
    patient_of,
    register,
    submission_set,
)
from xds.ports import Criteria, TimeRange, Transaction
from xds.stores import SqlStore, open_store, schema
from xds.vocab.ebrim import DocumentEntryType, Status


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cupboard(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlStore]:
    """One patient's documents that differ in everything a query selects on, and somebody else's; not to be changed."""
    with open_store(new_database(request.param), documents=tmp_path_factory.mktemp("documents"), sweep=False) as store:
        fill(store)
        yield store


def fill(store: SqlStore) -> None:
    register(
        store,
        entry(
            "a",
            creation_time="20260101",
            class_code="1^^s",
            type_code="t1^^s",
            format_code="f^^s",
            event_code=["e1^^s", "e2^^s"],
            confidentiality_code="N^^c",
            authors=["^Zhang^Wei", "^Li^Na"],
            title="Discharge summary",
            reference_ids=["ref1^^^&1.2&ISO^urn:x", "ref2^^^&1.2&ISO^urn:x"],
            service_start_time="2026",
        ),
        entry(
            "b",
            creation_time="20260215120000",
            class_code="2^^s",
            practice_setting_code="p^^s",
            event_code=["e2^^s"],
            confidentiality_code=["N^^c", "R^^c"],
            authors=["^Wang^Fang"],
            title="discharge summary",
            service_start_time="20260215",
            service_stop_time="20260216",
        ),
        entry(
            "c",
            creation_time="202603",
            class_code="1^^other",
            healthcare_facility_type_code="h^^s",
            object_type=DocumentEntryType.ON_DEMAND.value,
            confidentiality_code="R^^c",
            title="50% of _everything_",
        ),
        entry("d", confidentiality_code="N^^c", title="Aufklärung\nzweite Zeile"),
    )
    register(store, entry("z", patient=OTHER_PATIENT, class_code="1^^s"), patient=OTHER_PATIENT)
    deprecated = store.read(lambda r: r.by_unique_id(DE, ["b"]))
    store.transaction(lambda t: t.set_status([deprecated[0].entry_uuid], Status.DEPRECATED))


def ids(store: SqlStore, **criteria: Any) -> str:
    return "".join(o.unique_id for o in find(store, **criteria))


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, "cbad"),  # newest first, those without a time last
        ({"statuses": (Status.APPROVED,)}, "cad"),
        ({"statuses": (Status.DEPRECATED,)}, "b"),
        ({"statuses": ()}, "cbad"),  # an empty filter is no filter
        ({"object_types": (DocumentEntryType.STABLE.value,)}, "bad"),
        ({"object_types": tuple(DocumentEntryType)}, "cbad"),
        ({"one_of": {"class_code": ("1^^s",)}}, "a"),
        ({"one_of": {"class_code": ("1^^s", "2^^s", "9^^s")}}, "ba"),
        ({"one_of": {"class_code": ("1",)}}, ""),  # code and scheme together
        ({"one_of": {"class_code": ("1^^S",)}}, ""),  # case-sensitive
        ({"one_of": {"class_code": ()}}, "cbad"),
        ({"one_of": {"type_code": ("t1^^s",), "format_code": ("f^^s",)}}, "a"),
        ({"one_of": {"type_code": ("t1^^s",), "format_code": ("g^^s",)}}, ""),
        ({"one_of": {"practice_setting_code": ("p^^s",)}}, "b"),
        ({"one_of": {"healthcare_facility_type_code": ("h^^s",)}}, "c"),
        ({"none_of": {"class_code": ("1^^s",)}}, "cbd"),  # what has no classCode has none of the excluded ones
        ({"none_of": {"class_code": ("1^^s", "2^^s", "1^^other")}}, "d"),
        ({"codes": (("event_code", ("e1^^s",)),)}, "a"),
        ({"codes": (("event_code", ("e1^^s", "e2^^s")),)}, "ba"),
        ({"codes": (("event_code", ("e1^^s",)), ("event_code", ("e2^^s",)))}, "a"),
        ({"codes": (("confidentiality_code", ("N^^c",)), ("confidentiality_code", ("R^^c",)))}, "b"),
        ({"codes": (("event_code", ("N^^c",)),)}, ""),
        ({"codes": (("reference_id", ("ref1^^^&1.2&ISO^urn:x",)),)}, "a"),
        ({"codes_excluded": (("event_code", ("e1^^s",)),)}, "cbd"),
        ({"codes_excluded": (("confidentiality_code", ("R^^c", "V^^c")),)}, "ad"),
        ({"times": (TimeRange("creation_time", 20260101000000, 20260215120000),)}, "ad"),  # from <= value < to
        ({"times": (TimeRange("creation_time", 20260215120000),)}, "cbd"),
        ({"times": (TimeRange("creation_time", None, 20260301000000),)}, "bad"),
        ({"times": (TimeRange("creation_time"),)}, "cbad"),
        ({"times": (TimeRange("service_start_time", 20260201000000),)}, "cbd"),  # without the attribute: not excluded
        ({"times": (TimeRange("service_stop_time", 20270101000000),)}, "cad"),
        ({"author_persons": ("^Zhang%",)}, "a"),
        ({"author_persons": ("%Na",)}, "a"),  # each author's value is matched by itself
        ({"author_persons": ("^Zhang%Na",)}, ""),
        ({"author_persons": ("%",)}, "ba"),
        ({"author_persons": ("%wang%", "^_i^Na")}, "a"),
        ({"author_persons_excluded": ("^Zhang%",)}, "cbd"),
        ({"author_institutions": ("Cl_nic",)}, "ba"),
        ({"titles": ("Discharge%",)}, "a"),
        ({"titles": ("%discharge%", "50\\%%")}, "b"),  # there is no escape character
        ({"titles": ("50%",)}, "c"),
        ({"titles": ("%zweite%",)}, "d"),
        ({"titles": ("Aufkl_rung%",)}, "d"),
        ({"reference_ids_like": (("ref1%",), ("%^urn:x",))}, "a"),
        ({"reference_ids_like": (("ref1%",), ("ref3%",))}, ""),
        ({"limit": 2}, "cb"),
        ({"limit": 0}, ""),
        ({"limit": 1, "author_persons": ("%",)}, "b"),
        ({"limit": 9, "titles": ("%",)}, "cbad"),
        ({"patient": OTHER_PATIENT}, "z"),
    ],
    ids=str,
)
def test_document_entries_are_selected(cupboard: SqlStore, criteria: dict[str, Any], expected: str) -> None:
    assert ids(cupboard, **criteria) == expected


def test_a_query_for_references_carries_no_fragments(cupboard: SqlStore) -> None:
    patient = patient_of(cupboard)
    for extra in ({}, {"titles": ("%",)}):
        criteria = Criteria(kind=DE, patients=patient.tree, statuses=(Status.APPROVED,), **extra)
        full = cupboard.read(lambda r, c=criteria: r.find(c))
        references = cupboard.read(lambda r, c=criteria: r.find(c, references=True))
        assert [o.entry_uuid for o in references] == [o.entry_uuid for o in full]
        assert all(o.fragment for o in full)
        assert not any(o.fragment for o in references)
        assert [o.confidentiality_codes for o in references] == [("R^^c",), ("N^^c",), ("N^^c",)]


def test_submission_sets_are_selected(store: SqlStore) -> None:
    register(
        store,
        submission_set("a", submission_time="20260101", source_id="1.1", authors=["^A"], content_type_code="c1^^s"),
        submission_set("b", submission_time="20260102", source_id="1.2", authors=["^B"], content_type_code="c2^^s"),
        submission_set("c", submission_time="20260103", source_id="1.2"),
    )
    assert ids(store, kind=SS) == "cba"
    assert ids(store, kind=SS, one_of={"source_id": ("1.2",)}) == "cb"
    assert ids(store, kind=SS, one_of={"content_type_code": ("c1^^s", "c2^^s")}) == "ba"
    assert ids(store, kind=SS, times=(TimeRange("submission_time", 20260102000000, 20260103000000),)) == "b"
    assert ids(store, kind=SS, author_persons=("^%",)) == "ba"


def test_folders_are_selected(store: SqlStore) -> None:
    register(
        store,
        folder("a", codes=["1^^s", "2^^s"], last_update_time="20260101"),
        folder("b", codes=["2^^s"], last_update_time="20260102"),
    )
    assert ids(store, kind=FD) == "ba"
    assert ids(store, kind=FD, codes=(("folder_code", ("1^^s",)),)) == "a"
    assert ids(store, kind=FD, codes=(("folder_code", ("1^^s",)), ("folder_code", ("2^^s",)))) == "a"
    assert ids(store, kind=FD, times=(TimeRange("last_update_time", 20260102000000),)) == "b"


@pytest.mark.parametrize(
    "criteria",
    [
        {"kind": FD, "one_of": {"class_code": ("1^^s",)}},
        {"kind": SS, "times": (TimeRange("creation_time", 1),)},
        {"kind": DE, "none_of": {"source_id": ("1",)}},
        {"kind": DE, "one_of": {"fragment": ("1",)}},
    ],
    ids=str,
)
def test_an_attribute_that_a_kind_does_not_have_is_no_filter_but_an_error(
    store: SqlStore, criteria: dict[str, Any]
) -> None:
    register(store, entry("a"))
    with pytest.raises(ValueError, match="to select on"):
        find(store, **criteria)


def test_a_query_that_names_no_patient_does_not_read_everybody(cupboard: SqlStore) -> None:
    with pytest.raises(ValueError, match="names the patients"):
        cupboard.read(lambda r: r.find(Criteria(kind=DE, patients=(), statuses=())))


def test_long_lists_are_asked_for_in_parts(store: SqlStore) -> None:
    documents = [entry(f"1.{n}", class_code=f"{n}^^s") for n in range(30)]
    register(store, *documents)
    unknown = [entry(f"2.{n}").id for n in range(600)]
    wanted = [*unknown[:300], documents[7].id, *unknown[300:], documents[3].id]
    assert [o.unique_id for o in store.read(lambda r: r.by_uuid(wanted))] == ["1.7", "1.3"]
    uniques = [*(f"3.{n}" for n in range(600)), "1.5", "1.2"]
    assert [o.unique_id for o in store.read(lambda r: r.by_unique_id(DE, uniques))] == ["1.5", "1.2"]
    codes = tuple(f"{n}^^s" for n in range(20, 700))
    assert len(find(store, one_of={"class_code": codes})) == 10


def test_objects_come_in_the_order_asked_and_once(store: SqlStore) -> None:
    one, two = entry("1.1"), entry("1.2")
    register(store, one, two)
    assert [o.entry_uuid for o in store.read(lambda r: r.by_uuid([two.id, one.id, two.id]))] == [two.id, one.id]
    assert [o.unique_id for o in store.read(lambda r: r.by_unique_id(DE, ["1.2", "1.1", "1.2"]))] == ["1.2", "1.1"]


@pytest.mark.parametrize(
    "text", ["", "urn:uuid:", "urn:uuid:xyz", "Document01", "urn:oid:1.2.3", "urn:uuid:" + "0" * 36]
)
def test_what_is_no_uuid_names_no_object(store: SqlStore, text: str) -> None:
    assert store.read(lambda r: (r.by_uuid([text]), r.associations(sources=[text], targets=[text]))) == ([], [])


def test_a_unique_id_is_looked_for_among_its_kind(store: SqlStore) -> None:
    register(store, entry("1.1"), submission_set("1.2"))
    assert store.read(lambda r: r.by_unique_id(SS, ["1.1"])) == []
    assert [o.unique_id for o in store.read(lambda r: r.by_unique_id(SS, ["1.2"]))] == ["1.2"]
    assert store.read(lambda r: r.claims(["1.1", "1.2", "1.3"])).keys() == {"1.1", "1.2"}


# --------------------------------------------------------------------------- merged patients


def merge_work(subsumed: str, survivor: str, transaction: Transaction) -> None:
    """What a merge will write: the state of one, and the last survivor of everything merged into it."""
    gone, stays = transaction.lock_patient(subsumed), transaction.lock_patient(survivor)
    assert gone is not None
    assert stays is not None
    session: Any = transaction._session  # type: ignore[attr-defined]
    columns = schema.patient.c
    new_state, new_survivor, of_key = (
        sa.bindparam(f"p{number}", type_=column.type)
        for number, column in enumerate((columns.state, columns.survivor, columns.key))
    )
    update = sa.update(schema.patient).values(state=new_state, survivor=new_survivor).where(columns.key == of_key)
    for key in gone.tree:
        session.run(session.statements.compile(update), (schema.PatientState.SUBSUMED, stays.key, key))


def test_after_merges_the_survivor_has_everything_and_shows_its_identifier(store: SqlStore) -> None:
    people = [f"{name}^^^&1.2&ISO" for name in "ABC"]
    documents = [entry(f"1.{n}", patient=p, creation_time=f"2026010{n + 1}") for n, p in enumerate(people)]
    for document, person in zip(documents, people, strict=True):
        register(store, document, patient=person)
    for gone, stays in ((0, 1), (1, 2)):
        store.transaction(lambda t, g=people[gone], s=people[stays]: merge_work(g, s, t))
    a, b, c = (patient_of(store, person) for person in people)
    assert (a.active, b.active, c.active) == (False, False, True)
    assert (a.tree, b.tree) == ((a.key,), (b.key,))
    assert set(c.tree) == {a.key, b.key, c.key}
    found = find(store, patient=people[2])
    assert [o.unique_id for o in found] == ["1.2", "1.1", "1.0"]
    assert {o.patient_id for o in found} == {people[2]}
    assert {o.patient for o in found} == {a.key, b.key, c.key}  # each keeps the key it was submitted under
    by_id = store.read(lambda r: r.by_uuid([documents[0].id]))
    assert [o.patient_id for o in by_id] == [people[2]]


def test_an_association_within_a_merge_tree_is_delivered_once(store: SqlStore) -> None:
    old = entry("1.1", patient=OTHER_PATIENT)
    register(store, old, patient=OTHER_PATIENT)
    register(store, entry("1.2"))
    store.transaction(lambda t: merge_work(OTHER_PATIENT, PATIENT, t))
    own_set = submission_set("1.3")
    reference = association(own_set.id, old.id)
    register(store, own_set, reference)
    found = store.read(lambda r: r.associations(sources=[own_set.id], targets=[old.id]))
    assert [a.entry_uuid for a in found] == [reference.id]


# --------------------------------------------------------------------------- plans


@pytest.fixture
def exercised(store: SqlStore) -> SqlStore:
    """A store that has run every kind of statement."""
    one, two, own_set, holder = entry("1.1", event_code="e^^s"), entry("1.2"), submission_set("1.3"), folder("1.4")
    register(store, one, two, own_set, holder, association(own_set.id, one.id))
    register(store, entry("1.1"), submission_set("1.5"), association(own_set.id, two.id), patient=OTHER_PATIENT)
    for limit in (None, 5):
        find(store, limit=limit, one_of={"class_code": ("1", "2")}, none_of={"type_code": ("1",)})
        find(store, limit=limit, codes=(("event_code", ("e^^s",)),), codes_excluded=(("confidentiality_code", ("N",)),))
        find(store, limit=limit, times=(TimeRange("creation_time", 1, 2),), object_types=("a", "b"), titles=("%",))
        find(store, SS, limit=limit, times=(TimeRange("submission_time", 1, 2),), one_of={"source_id": ("1",)})
        find(store, FD, limit=limit, codes=(("folder_code", ("f^^s",)),))
        store.read(lambda r, n=limit: r.associations(sources=[own_set.id], targets=[one.id], types=["x"], limit=n))
    every = [o.id for o in (one, two, own_set, holder)]
    store.read(lambda r: (r.by_uuid(every), r.by_uuid(every, references=True), r.associations(sources=every)))
    store.read(lambda r: (r.by_unique_id(DE, ["1.1", "1.2"]), r.document("1"), r.journal("k"), r.claims(["1.3"])))
    member = store.read(lambda r: r.associations(sources=[own_set.id]))[0]
    staged = store.stage().finish()

    def work(transaction: Transaction) -> None:
        transaction.set_status([*every, member.entry_uuid], Status.DEPRECATED)
        transaction.touch_folders([holder.id], 20270101000000)
        transaction.insert_document("1.1", "a/b", staged)
        transaction.insert_document("1.1", "a/b", staged)
        transaction.delete_document("1.1")
        transaction.write_journal("k", "1", b"")
        transaction.erase_journal("k", "1")

    store.transaction(work)
    store.discard(type(staged)(1, "a" * 40, path="aa/none"))
    return store


def test_no_statement_scans_a_table(exercised: SqlStore, explain: Callable[[SqlStore], dict[str, str]]) -> None:
    plans = explain(exercised)
    assert len(plans) > 30
    whole = "Seq Scan" if "postgresql" in exercised.url else "SCAN"
    scans = {text: plan for text, plan in plans.items() if whole in plan}
    assert not scans
