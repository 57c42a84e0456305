"""What is found after an A43, what of it is refused, and several at once, on both databases."""

from __future__ import annotations

import pytest

from tests.xds.registry.build import (
    APPROVED,
    BOTH,
    association,
    folder,
    fresh_uuid,
    member,
    references,
    submission,
)
from tests.xds.registry.moving import (
    DE,
    FD,
    NEW,
    OLD,
    OTHER_LOCAL,
    SS,
    STRANGER,
    SUBSUMED,
    THIRD,
    World,
    change,
    document,
)
from xds.datatypes.hl7 import CX, HD
from xds.errors import RequestRejected
from xds.patients.domains import Source
from xds.patients.feed import FeedRejected, IdentityFeed, Refusal
from xds.registry import AffinityDomain, DocumentRegistry, LinkChanges
from xds.vocab.ebrim import AssociationType, ObjectKind, SlotName, Status
from xds.vocab.errors import ErrorCode
from xds.vocab.hl7 import FeedEvent

# --------------------------------------------------------------------------- SubmissionSets that refer


@pytest.mark.parametrize("owner", [OLD, THIRD])
def test_a_reference_follows_the_entry(world: World, owner: str) -> None:
    (first,) = world.put(document())
    referring = references(first, patient=owner)
    world.registry.register(referring)
    [set_id] = [o.id for o in referring.submission_sets]
    world.change()
    [old] = world.links(set_id, statuses=[Status.DEPRECATED])
    [new] = world.links(set_id)
    assert (old.target, new.target) == (first, world.now(first).entry_uuid)
    assert world.decoded(new.entry_uuid).slot(SlotName.SUBMISSION_SET_STATUS) == "Reference"
    assert new.patient_id == owner
    assert new.entry_uuid in {a.entry_uuid for a in world.links(new.target)}  # found from both sides


def test_the_original_submission_set_keeps_its_entry(world: World) -> None:
    (first,) = world.put(document())
    [before] = world.sets(OLD)
    world.change()
    assert [a.target for a in world.links(before.entry_uuid)] == [first]
    found = world.ask("GetSubmissionSetAndContents", XDSSubmissionSetEntryUUID=before.entry_uuid)
    assert {o.patient_id for o in found} == {OLD}


# --------------------------------------------------------------------------- queries


def test_a_unique_id_means_the_last_version(world: World) -> None:
    (first,) = world.put(document())
    world.change()
    [new] = world.entries(NEW)
    assert [o.entry_uuid for o in world.ask("GetDocuments", XDSDocumentEntryUniqueId=[new.unique_id])] == [
        new.entry_uuid
    ]
    every = world.refs("GetDocuments", XDSDocumentEntryUniqueId=[new.unique_id], MetadataLevel=2)
    assert {o.entry_uuid for o in every} == {first, new.entry_uuid}
    found = world.ask("GetDocumentsAndAssociations", XDSDocumentEntryUniqueId=[new.unique_id])
    assert [o.entry_uuid for o in found if o.kind is DE] == [new.entry_uuid]


def test_a_logical_id_means_the_last_version_or_all(world: World) -> None:
    first, other = world.put(document(), document("Document02", OTHER_LOCAL))
    world.change()
    [new] = world.entries(NEW)
    asked = {"XDSDocumentEntryLogicalID": [other, first]}
    assert [o.entry_uuid for o in world.refs("GetDocuments", **asked)] == [other, new.entry_uuid]
    every = [o.entry_uuid for o in world.refs("GetDocuments", MetadataLevel=2, **asked)]
    assert every == [other, first, new.entry_uuid]
    with pytest.raises(RequestRejected) as refused:
        world.ask("GetDocuments", MetadataLevel=2, **asked)
    assert refused.value.code is ErrorCode.RESULT_NOT_SINGLE_PATIENT


def test_an_old_entry_uuid_still_names_the_old_version(world: World) -> None:
    (first,) = world.put(document())
    world.change()
    [found] = world.ask("GetDocuments", XDSDocumentEntryEntryUUID=[first])
    assert (found.patient_id, found.status) == (OLD, Status.DEPRECATED)


def test_get_all_of_each_patient_has_its_own(world: World) -> None:
    world.put(document(), folder(), member("Folder01", "Document01"))
    world.change()
    statuses = {f"XDS{kind}Status": [APPROVED] for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
    old = world.ask("GetAll", patientId=OLD, **statuses)
    new = world.ask("GetAll", patientId=NEW, **statuses)
    assert {o.kind for o in old} == {SS, ObjectKind.ASSOCIATION}
    assert {o.patient_id for o in new} == {NEW}
    assert {o.kind for o in new} == set(ObjectKind) - {ObjectKind.UNKNOWN}


def test_a_folder_is_asked_for_by_its_unique_id_at_both_levels(world: World) -> None:
    first, *_ = world.put(document(), folder(), member("Folder01", "Document01"))
    world.change()
    [new] = world.folders(NEW)
    found = world.ask("GetFolderAndContents", XDSFolderUniqueId=new.unique_id)
    assert {o.entry_uuid for o in found if o.kind is not ObjectKind.ASSOCIATION} == {
        new.entry_uuid,
        world.now(first).entry_uuid,
    }
    every = world.refs("GetFolderAndContents", XDSFolderUniqueId=new.unique_id, MetadataLevel=2)
    assert {o.version for o in every if o.kind is FD} == {1, 2}


def test_the_next_submission_is_about_the_new_version(world: World) -> None:
    (first,) = world.put(document())
    world.change()
    with pytest.raises(RequestRejected) as refused:
        world.put(document(patient=NEW), association(AssociationType.RPLC, "Document01", first))
    assert ErrorCode.REGISTRY_DEPRECATED_DOCUMENT in {error.code for error in refused.value.errors}
    world.put(document(patient=NEW), association(AssociationType.RPLC, "Document01", world.now(first).entry_uuid))
    assert [o.version for o in world.entries(NEW)] == [1]


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("given", "reason", "prior", "ordinal"),
    [
        ({"new": STRANGER}, Refusal.UNKNOWN_SURVIVOR, False, 1),
        ({"previous": STRANGER}, Refusal.UNKNOWN_IDENTIFIER, True, 1),
        ({"new": "P2^^^&1.9.9&ISO"}, Refusal.FOREIGN_DOMAIN, False, 1),
        ({"previous": "P1^^^&1.9.9&ISO"}, Refusal.FOREIGN_DOMAIN, True, 1),
        ({"local": "L1^^^&east.example&DNS"}, Refusal.FOREIGN_DOMAIN, False, 2),
        ({"local": "L1"}, Refusal.FOREIGN_DOMAIN, False, 2),
        ({"subsumed": "L0^^^&1.9.9&ISO"}, Refusal.FOREIGN_DOMAIN, True, 2),
    ],
)
def test_nothing_moves_when_the_identifiers_are_not_what_they_should_be(
    world: World, given: dict[str, str], reason: Refusal, prior: bool, ordinal: int
) -> None:
    world.put(document())
    with pytest.raises(FeedRejected) as refused:
        world.change(**given)
    assert (refused.value.reason, refused.value.prior, refused.value.ordinal) == (reason, prior, ordinal)
    assert [o.version for o in world.entries(OLD, BOTH)] == [1]
    assert world.entries(NEW, BOTH) == []


@pytest.mark.parametrize(("ended", "prior"), [(NEW, False), (OLD, True)])
def test_who_has_ended_in_a_third_one_takes_no_part(world: World, ended: str, prior: bool) -> None:
    world.merge(ended, THIRD)
    with pytest.raises(FeedRejected) as refused:
        world.change()
    assert (refused.value.reason, refused.value.prior) == (Refusal.ALREADY_SUBSUMED, prior)


def test_a_feed_without_a_local_identifier_is_refused(world: World) -> None:
    feed = IdentityFeed(
        event=FeedEvent.CHANGE_XAD_PID, identifiers=(CX.parse(NEW),), prior_identifiers=(CX.parse(OLD),)
    )
    with pytest.raises(FeedRejected) as refused:
        world.registry.plan_feed(feed)
    assert (refused.value.reason, refused.value.ordinal) == (Refusal.UNKNOWN_IDENTIFIER, 2)


@pytest.mark.parametrize(
    "agreed", [None, LinkChanges(sources=(Source("MPI", "WEST"), Source("1.2.4")))], ids=["nobody", "others"]
)
def test_a_manager_who_may_not_is_refused(world: World, agreed: LinkChanges | None) -> None:
    registry = DocumentRegistry(world.registry.store, domain=AffinityDomain(link_changes=agreed))
    with pytest.raises(FeedRejected) as refused:
        registry.apply_feed(change())
    assert refused.value.reason is Refusal.SOURCE_NOT_ALLOWED
    if agreed is not None:
        assert registry.apply_feed(change(sender=HD("1.2.4"))).result().moved == 0


def test_a_failure_on_the_way_leaves_no_trace(world: World) -> None:
    world.put(document(), folder(), member("Folder01", "Document01"))
    before = world.all(OLD), world.all(NEW)
    work = world.registry.plan_feed(change())

    def failing(transaction: object) -> None:
        work(transaction)  # type: ignore[arg-type]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.registry.store.transaction(failing)
    assert (world.all(OLD), world.all(NEW)) == before


def test_two_changes_at_once_move_everything_once(world: World) -> None:
    world.put(*(document(f"Document{n}") for n in range(20)))
    changes = [world.registry.apply_feed(change()) for _ in range(6)]
    assert sorted(future.result().moved for future in changes) == [0, 0, 0, 0, 0, 20]
    assert {o.version for o in world.entries(NEW, BOTH)} == {2}


def test_opposite_changes_at_once_leave_everything_once(world: World) -> None:
    world.put(*(document(f"Document{n}") for n in range(5)))
    there, back = change(), change(new=OLD, previous=NEW)
    for future in [world.registry.apply_feed(feed) for feed in (there, back) * 4]:
        future.result()
    found = world.entries(OLD) + world.entries(NEW)
    assert len({o.lid for o in found}) == len(found) == 5


def test_changes_and_submissions_at_once_have_an_order(world: World) -> None:
    (first,) = world.put(document())
    holder = fresh_uuid()
    world.put(folder(holder), member(holder, first))
    outcomes = []
    for n in range(12):
        if n in (3, 7):
            new, previous = (NEW, OLD) if n == 3 else (OLD, NEW)
            outcomes.append(world.registry.apply_feed(change(new=new, previous=previous)))
            continue
        added = document(f"Added{n}")
        where = member(holder, added.id) if n % 2 else association(AssociationType.APND, added.id, first)
        outcomes.append(world.registry.submit(submission(added, where)))
    refused = {future.exception().code for future in outcomes if future.exception()}  # type: ignore[union-attr]
    assert refused <= {ErrorCode.REGISTRY_DEPRECATED_DOCUMENT, ErrorCode.REGISTRY_METADATA_ERROR}
    found = [o for patient in (OLD, NEW) for o in world.entries(patient)]
    assert len({o.lid for o in found}) == len(found) == 1 + sum(not f.exception() for f in outcomes) - 2
    whose = {o.entry_uuid: o.patient_id for o in found}
    [kept] = [f for patient in (OLD, NEW) for f in world.folders(patient)]
    inside = world.content(kept.entry_uuid)
    assert inside <= whose.keys()
    assert {whose[uuid] for uuid in inside} <= {kept.patient_id}


def test_within_one_patient_versions_stay_under_the_key_of_their_identifier(world: World) -> None:
    first, binder, _ = world.put(document(local=SUBSUMED), folder(), member("Folder01", "Document01"))
    world.merge(OLD, THIRD)
    world.change(new=THIRD, previous=THIRD, subsumed=SUBSUMED)
    reader = world.registry.store.read
    [old], new = reader(lambda r: r.by_uuid([first])), world.now(first)
    assert (new.version, new.patient_id, new.patient) == (2, THIRD, old.patient)
    assert world.content(binder) == {new.entry_uuid}
    # the SubmissionSet is the survivor's: an undo of the merge is looked at by somebody (DESIGN D12)
    assert world.registry.store.transaction(lambda t: t.tangled([OLD], [THIRD]))


def test_a_change_and_a_merge_at_once_lose_nothing(world: World) -> None:
    world.put(*(document(f"Document{n}") for n in range(5)))
    merge = IdentityFeed(event=FeedEvent.MERGE, identifiers=(CX.parse(NEW),), prior_identifiers=(CX.parse(OLD),))
    futures = [world.registry.apply_feed(feed) for feed in (change(), merge, change())]
    for future in futures:
        future.result()
    assert len(world.entries(NEW)) == 5
    assert world.entries(OLD, BOTH) == []
