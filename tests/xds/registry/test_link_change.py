"""ITI-64, rule by rule (ITI TF-2, 3.64.4.1.3), on both databases."""

from __future__ import annotations

import pickle

import pytest

from tests.xds.registry.build import (
    BOTH,
    association,
    code,
    folder,
    fresh_uuid,
    member,
    unique_id,
)
from tests.xds.registry.conftest import StillClock
from tests.xds.registry.moving import (
    DE,
    FD,
    HAS_MEMBER,
    LOCAL,
    NEW,
    OLD,
    OTHER_LOCAL,
    SS,
    SUBSUMED,
    THIRD,
    World,
    change,
    document,
)
from xds.datatypes.hl7 import HD
from xds.errors import RequestRejected
from xds.metadata.common import Code
from xds.metadata.registry_object import RegistryObject
from xds.registry import AffinityDomain, AppliedFeed, DocumentRegistry, LinkChanges
from xds.registry.link_change import DROPPED, NO_OID
from xds.vocab.ebrim import AssociationType, DocumentEntryType, IdScheme, ObjectKind, Scheme, SlotName, Status
from xds.vocab.errors import ErrorCode

# --------------------------------------------------------------------------- entries


def test_an_entry_moves_by_a_new_version(world: World) -> None:
    (first,) = world.put(document(title="Report & <more>", authors=[("Dr A", ["East"])], event_code=["e1", "e2"]))
    assert world.change() == AppliedFeed((NEW,), (), moved=1)
    [old], [new] = world.entries(OLD, BOTH), world.entries(NEW, BOTH)
    assert (old.entry_uuid, old.status, old.version, old.lid) == (first, Status.DEPRECATED, 1, first)
    assert (new.status, new.version, new.lid, new.patient_id) == (Status.APPROVED, 2, first, NEW)
    assert new.entry_uuid != first
    assert new.unique_id == old.unique_id
    assert world.entries(OLD) == []


def test_a_new_version_differs_in_patient_version_and_ids_alone(world: World) -> None:
    (first,) = world.put(document(title="Report & <more>", authors=[("Dr A", ["East"])], event_code=["e1", "e2"]))
    before = world.decoded(first)
    world.change()
    [stored] = world.entries(NEW)
    after = world.decoded(stored.entry_uuid)
    assert after.patient_id == NEW
    assert not inside(after) & inside(before)
    assert len(inside(after)) == len(after.classifications) + len(after.external_identifiers) + 1
    for o in (before, after):
        o.id = o.version = o.location = ""
        for c in o.classifications:
            c.id = c.classified_object = ""
        for i in o.external_identifiers:
            i.id = i.registry_object = ""
            i.value = "" if i.scheme == IdScheme.DOCUMENT_ENTRY_PATIENT_ID else i.value
    assert (before.status, after.status) == (Status.APPROVED.urn, Status.APPROVED.urn)
    assert after == before


def inside(o: RegistryObject) -> set[str]:
    return {o.id, *(c.id for c in o.classifications), *(i.id for i in o.external_identifiers)}


def test_entries_of_other_local_identifiers_stay(world: World) -> None:
    world.put(document(), document("Document02", OTHER_LOCAL), document("Document03", "L1^^^&1.2.4&ISO"))
    assert world.change().moved == 1
    assert (len(world.entries(OLD)), len(world.entries(NEW))) == (2, 1)


def test_entries_of_other_patients_stay(world: World) -> None:
    world.put(document(patient=THIRD))
    assert world.change().moved == 0
    assert [o.version for o in world.entries(THIRD)] == [1]


def test_on_demand_entries_move_as_well(world: World) -> None:
    live = document(fresh_uuid(), object_type=DocumentEntryType.ON_DEMAND)
    for name in (SlotName.HASH, SlotName.SIZE, SlotName.CREATION_TIME):
        del live.slots[name]
    store = world.registry.store
    prepared = store.prepare([live])
    store.transaction(lambda t: t.insert(prepared, t.lock_patient(OLD).key))  # type: ignore[union-attr]
    assert world.change().moved == 1
    assert [o.object_type for o in world.entries(NEW)] == [DocumentEntryType.ON_DEMAND]


def test_a_deprecated_entry_is_never_touched(world: World) -> None:
    (replaced,) = world.put(document())
    world.put(document(), association(AssociationType.RPLC, "Document01", replaced))
    before = world.decoded(replaced)
    assert world.change().moved == 1
    assert world.decoded(replaced) == before
    assert world.now(replaced).entry_uuid == replaced


def test_a_subsumed_local_identifier_becomes_the_local_one(world: World) -> None:
    first, second = world.put(document(), document("Document02", SUBSUMED))
    assert world.change(subsumed=SUBSUMED).moved == 2
    for uuid in (first, second):
        assert world.decoded(world.now(uuid).entry_uuid).slot(SlotName.SOURCE_PATIENT_ID) == LOCAL
    assert world.decoded(second).slot(SlotName.SOURCE_PATIENT_ID) == SUBSUMED


def test_a_merge_of_local_identifiers_leaves_what_has_the_right_one(world: World) -> None:
    kept, merged = world.put(document(), document("Document02", SUBSUMED))
    assert world.change(new=OLD, subsumed=SUBSUMED).moved == 1
    assert world.now(kept).entry_uuid == kept
    assert (world.now(merged).version, world.now(merged).patient_id) == (2, OLD)
    assert len(world.entries(OLD)) == 2


def test_a_subsumed_identifier_that_is_the_local_one_is_none(world: World) -> None:
    world.put(document())
    assert world.change(subsumed=LOCAL).moved == 1


def test_a_repeat_is_harmless(world: World) -> None:
    world.put(document(), document("Document02", SUBSUMED))
    assert world.change(subsumed=SUBSUMED).moved == 2
    before = world.all(OLD), world.all(NEW)
    assert world.change(subsumed=SUBSUMED) == AppliedFeed((NEW,), ())
    assert (world.all(OLD), world.all(NEW)) == before


def test_there_and_back_again_is_a_third_version(world: World) -> None:
    (first,) = world.put(document())
    world.change()
    world.change(new=OLD, previous=NEW)
    [new] = world.entries(OLD)
    assert (new.version, new.lid) == (3, first)
    assert [o.version for o in world.entries(NEW, BOTH)] == [2]
    assert sorted(o.version for o in world.entries(OLD, BOTH)) == [1, 3]


def test_a_change_to_nothing_else_does_nothing(world: World) -> None:
    world.put(document())
    assert world.change(new=OLD).moved == 0
    assert [o.version for o in world.entries(OLD, BOTH)] == [1]


def test_documents_that_followed_a_merge_move_too(world: World) -> None:
    (first,) = world.put(document(patient=THIRD))
    world.merge(THIRD, OLD)
    assert world.change().moved == 1
    assert world.now(first).patient_id == NEW


def test_a_previous_patient_who_ended_in_the_new_one_is_the_new_one(world: World) -> None:
    kept, merged = world.put(document(), document("Document02", SUBSUMED))
    world.merge(OLD, NEW)
    assert world.change(subsumed=SUBSUMED).moved == 1
    assert (world.now(kept).version, world.now(merged).version) == (1, 2)


def test_entries_that_share_their_unique_id_move(world: World) -> None:
    unique = unique_id()
    (first,), (second,) = world.put(document(unique=unique)), world.put(document(unique=unique))
    assert world.change().moved == 2
    assert {world.now(uuid).version for uuid in (first, second)} == {2}


def test_a_patient_with_many_documents_moves_at_once(world: World) -> None:
    world.put(*(document(f"Document{n:03}") for n in range(300)))
    assert world.change().moved == 300
    assert (len(world.entries(OLD)), len(world.entries(NEW))) == (0, 300)


# --------------------------------------------------------------------------- the SubmissionSet


def test_the_submission_set_says_what_happened(world: World) -> None:
    (first,) = world.put(document())
    world.change()
    [found] = world.sets(NEW)
    made = world.decoded(found.entry_uuid)
    assert made.patient_id == NEW
    assert made.external_identifier(IdScheme.SUBMISSION_SET_SOURCE_ID) == "1.2.3.99"
    assert made.slot(SlotName.SUBMISSION_TIME) == "20260301120000"
    assert made.classified_by(Scheme.SUBMISSION_SET_AUTHOR) == []
    [kind] = made.classified_by(Scheme.CONTENT_TYPE_CODE)
    assert (kind.code, kind.coding_scheme) == ("A43", "HL70003")
    [link] = world.links(found.entry_uuid)
    assert link.target == world.now(first).entry_uuid
    said = world.decoded(link.entry_uuid)
    assert said.slots == {SlotName.SUBMISSION_SET_STATUS: ["Original"], SlotName.PREVIOUS_VERSION: ["1"]}
    assert len(world.sets(OLD)) == 1


def test_a_change_of_nothing_makes_no_submission_set(world: World) -> None:
    assert world.change() == AppliedFeed((NEW,), ())
    assert world.sets(NEW) == []


def test_the_content_type_is_the_one_that_was_agreed(world: World) -> None:
    agreed = LinkChanges(content_type=Code("moved", "1.2.3", "Moved"))
    world.put(document())
    other = DocumentRegistry(
        world.registry.store, domain=AffinityDomain(link_changes=agreed), clock=world.registry.clock
    )
    other.apply_feed(change()).result()
    [found] = world.sets(NEW)
    [kind] = world.decoded(found.entry_uuid).classified_by(Scheme.CONTENT_TYPE_CODE)
    assert (kind.code, kind.coding_scheme, str(kind.name[0])) == ("moved", "1.2.3", "Moved")


@pytest.mark.parametrize(
    ("sender", "source_id"),
    [
        (HD("1.2.3"), "1.2.3"),
        (HD("", "1.2.3", "ISO"), "1.2.3"),
        (HD("PIX", "1.2.4", "ISO"), "1.2.4"),
        (HD("MPI"), None),
    ],
)
def test_the_source_is_the_manager(world: World, sender: HD, source_id: str | None) -> None:
    works = [world.registry.plan_feed(change(sender=sender)) for _ in range(2)]
    assert works[0] == works[1]
    assert pickle.loads(pickle.dumps(works[0])) == works[0]
    found = works[0].source_id  # type: ignore[attr-defined]  # a LinkChange
    assert found == source_id if source_id else (found.startswith("2.25.") and len(found) < 64)
    assert world.registry.tolerated[NO_OID] == (0 if source_id else 2)


# --------------------------------------------------------------------------- relationships between entries


@pytest.mark.parametrize(
    "kind", [AssociationType.APND, AssociationType.XFRM, AssociationType.SIGNS], ids=lambda kind: kind.name
)
def test_a_relationship_is_repeated_when_both_ends_move(world: World, kind: AssociationType) -> None:
    (original,) = world.put(document())
    (added,) = world.put(document(), association(kind, "Document01", original))[:1]
    assert world.change() == AppliedFeed((NEW,), (), moved=2)
    source, target = world.now(added).entry_uuid, world.now(original).entry_uuid
    assert world.related(source) == [(kind, source, target)]
    assert world.related(added) == [(kind, added, original)]  # the old versions keep theirs
    found = world.ask("GetRelatedDocuments", XDSDocumentEntryEntryUUID=target, AssociationTypes=[kind])
    assert {o.entry_uuid for o in found if o.kind is DE} == {source, target}
    assert {o.patient_id for o in found} == {NEW}


def test_a_documented_relationship_keeps_its_code(world: World) -> None:
    (original,) = world.put(document())
    link = association(AssociationType.XFRM, "Document01", original)
    link.classifications.append(code(Scheme.ASSOCIATION_DOCUMENTATION, "T", link.id))
    (added, made) = world.put(document(), link)
    world.change()
    [copied] = [a for a in world.links(world.now(added).entry_uuid) if a.association_type != HAS_MEMBER]
    before, after = world.decoded(made), world.decoded(copied.entry_uuid)
    assert [(c.scheme, c.code) for c in after.classifications] == [(Scheme.ASSOCIATION_DOCUMENTATION, "T")]
    assert after.classifications[0].id != before.classifications[0].id
    assert (copied.version, copied.lid) == (1, copied.entry_uuid)


def test_a_relationship_to_what_stays_is_dropped(world: World) -> None:
    (staying,) = world.put(document(local=OTHER_LOCAL))
    (moving,) = world.put(document(), association(AssociationType.APND, "Document01", staying))[:1]
    assert world.change() == AppliedFeed((NEW,), (), moved=1, dropped=1)
    assert world.related(world.now(moving).entry_uuid) == world.related(staying) == world.related(moving) == []
    assert world.registry.tolerated[DROPPED] == 1
    asked = {"XDSDocumentEntryEntryUUID": staying, "AssociationTypes": [AssociationType.APND]}
    assert world.ask("GetRelatedDocuments", **asked) == []


def test_the_relationship_of_a_replacement_is_lost_and_no_conflict(world: World) -> None:
    (replaced,) = world.put(document())
    (added,) = world.put(document(), association(AssociationType.RPLC, "Document01", replaced))[:1]
    assert world.change() == AppliedFeed((NEW,), (), moved=1)
    assert world.related(world.now(added).entry_uuid) == []
    assert world.related(replaced) == [(AssociationType.RPLC, added, replaced)]


def test_within_one_patient_every_relationship_is_repeated(world: World) -> None:
    (staying, replaced) = world.put(document(), document("Document02", SUBSUMED))
    (merged,) = world.put(
        document(local=SUBSUMED),
        association(AssociationType.APND, "Document01", staying),
        association(AssociationType.RPLC, "Document01", replaced),
    )[:1]
    assert world.change(new=OLD, subsumed=SUBSUMED) == AppliedFeed((OLD,), (), moved=1)
    new = world.now(merged).entry_uuid
    assert world.related(new) == sorted([(AssociationType.APND, new, staying), (AssociationType.RPLC, new, replaced)])
    assert world.related(staying) == [(AssociationType.APND, new, staying)]  # once, and not to the old version
    assert world.related(merged) == []


# --------------------------------------------------------------------------- folders


def test_a_folder_moves_when_everything_in_it_does(world: World, clock: StillClock) -> None:
    first, second, binder, *_ = world.put(
        document(),
        document("Document02", SUBSUMED),
        folder(),
        member("Folder01", "Document01"),
        member("Folder01", "Document02"),
    )
    clock.now = clock.now.replace(hour=13)
    assert world.change(subsumed=SUBSUMED) == AppliedFeed((NEW,), (), moved=2)
    [old], [new] = world.folders(OLD, BOTH), world.folders(NEW, BOTH)
    assert (old.entry_uuid, old.status, old.version) == (binder, Status.DEPRECATED, 1)
    assert (new.status, new.version, new.lid, new.unique_id) == (Status.APPROVED, 2, binder, old.unique_id)
    assert (old.last_update_time, new.last_update_time) == (20260301120000, 20260301130000)
    assert world.content(new.entry_uuid) == {world.now(uuid).entry_uuid for uuid in (first, second)}
    assert world.content(old.entry_uuid) == {first, second}
    [made] = world.sets(NEW)
    [link] = [a for a in world.links(new.entry_uuid) if a.target == new.entry_uuid]
    assert link.source == made.entry_uuid
    assert world.decoded(link.entry_uuid).slots == {SlotName.PREVIOUS_VERSION: ["1"]}


def test_the_memberships_of_a_moved_folder_belong_to_the_submission_set(world: World) -> None:
    world.put(document(), folder(), member("Folder01", "Document01"))
    world.change()
    [made], [new] = world.sets(NEW), world.folders(NEW)
    [inside] = [a for a in world.links(new.entry_uuid) if a.source == new.entry_uuid]
    assert inside.entry_uuid in {a.target for a in world.links(made.entry_uuid)}
    found = world.ask("GetSubmissionSetAndContents", XDSSubmissionSetEntryUUID=made.entry_uuid)
    assert {o.kind for o in found} == {SS, DE, FD, ObjectKind.ASSOCIATION}
    assert inside.entry_uuid in {o.entry_uuid for o in found}


def test_a_folder_with_others_in_it_stays_and_loses_what_moves(world: World) -> None:
    moving, staying, binder, *_ = world.put(
        document(),
        document("Document02", OTHER_LOCAL),
        folder(),
        member("Folder01", "Document01"),
        member("Folder01", "Document02"),
    )
    assert world.change() == AppliedFeed((NEW,), (), moved=1, dropped=1)
    assert world.folders(NEW, BOTH) == []
    [kept] = world.folders(OLD)
    assert (kept.entry_uuid, kept.version) == (binder, 1)
    assert kept.last_update_time == 20260301120001
    assert world.content(binder) == {staying}
    assert world.refs("GetFoldersForDocument", XDSDocumentEntryEntryUUID=world.now(moving).entry_uuid) == []


def test_what_was_replaced_does_not_keep_a_folder(world: World) -> None:
    replaced, binder, _ = world.put(document(local=OTHER_LOCAL), folder(), member("Folder01", "Document01"))
    (added,) = world.put(document(), association(AssociationType.RPLC, "Document01", replaced))[:1]
    assert world.change().dropped == 0
    [new] = world.folders(NEW)
    assert (new.lid, world.content(new.entry_uuid)) == (binder, {world.now(added).entry_uuid})


def test_within_one_patient_a_folder_keeps_its_version_and_holds_the_new_one(world: World) -> None:
    kept, merged, binder, *_ = world.put(
        document(),
        document("Document02", SUBSUMED),
        folder(),
        member("Folder01", "Document01"),
        member("Folder01", "Document02"),
    )
    assert world.change(new=OLD, subsumed=SUBSUMED) == AppliedFeed((OLD,), (), moved=1)
    [found] = world.folders(OLD, BOTH)
    assert (found.entry_uuid, found.version, found.status) == (binder, 1, Status.APPROVED)
    assert found.last_update_time == 20260301120001
    assert world.content(binder) == {kept, world.now(merged).entry_uuid}


def test_a_folder_comes_back_as_its_third_version(world: World) -> None:
    _, binder, _ = world.put(document(), folder(), member("Folder01", "Document01"))
    world.change()
    world.change(new=OLD, previous=NEW)
    [found] = world.folders(OLD)
    assert (found.version, found.lid) == (3, binder)
    assert [o.entry_uuid for o in world.ask("GetFolders", XDSFolderUniqueId=[found.unique_id])] == [found.entry_uuid]


def test_a_unique_id_of_a_moved_folder_is_still_taken(world: World) -> None:
    unique = unique_id()
    world.put(document(), folder(unique=unique), member("Folder01", "Document01"))
    world.change()
    with pytest.raises(RequestRejected) as refused:
        world.put(document(), folder(unique=unique), member("Folder01", "Document01"))
    assert refused.value.code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY
