"""Merges, links and their undoing by people; the history of it all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.xds.pix.people import Region, a, b, person, wire, x
from tests.xds.registry.build import association, entry, submission
from xds.datatypes.hl7 import CX
from xds.patients.domains import number_of
from xds.patients.feed import FeedRejected, Refusal
from xds.patients.queries import UnknownDomain, UnknownIdentifier
from xds.patients.records import FactKind
from xds.pix import NotUndoable
from xds.pix.history import UndoNeedsReview
from xds.vocab.ebrim import AssociationType
from xds.vocab.hl7 import FeedEvent

BY = "a clerk"


def picture(region: Region, *identifiers: CX) -> list[object]:
    """Everything that can be asked about these identifiers."""
    return [(region.others(i), region.documents(i) if wire(i).endswith("1000&ISO") else None) for i in identifiers]


def test_an_undone_merge_gives_back_what_was_and_keeps_what_came_later(region: Region) -> None:
    region.admit(x("P0"), a("7"))
    region.admit(x("P1"), b("8"))
    region.submit(x("P0"))
    before = picture(region, x("P0"), x("P1"), a("7"), b("8"))
    region.merge(x("P0"), x("P1"))
    region.submit(x("P1"))
    number = region.manager.history(x("P0"))[-1].fact.number
    region.manager.undo(number, by=BY, reason="two people")
    assert region.documents(x("P0")) == [wire(x("P0"))]
    assert region.documents(x("P1")) == [wire(x("P1"))]  # submitted while both were one
    assert [region.others(i) for i in (x("P0"), x("P1"), a("7"), b("8"))] == [o for o, _ in before]  # type: ignore[misc]
    assert region.submit(x("P0")) is None


def test_undoing_one_merge_of_a_chain_leaves_the_others(region: Region) -> None:
    for name in ("P1", "P2", "P3"):
        region.admit(x(name))
        region.submit(x(name))
    first = region.manager.merge(x("P1"), x("P2"), by=BY)
    region.manager.merge(x("P2"), x("P3"), by=BY)
    region.manager.undo(first, by=BY)
    assert region.documents(x("P1")) == [wire(x("P1"))]
    assert region.documents(x("P3")) == [wire(x("P3"))] * 2
    assert region.documents(x("P2")) == []
    region.manager.unmerge(x("P2"), by=BY)
    assert region.documents(x("P2")) == [wire(x("P2"))]


def test_what_only_a_merge_made_known_is_unknown_again(region: Region) -> None:
    region.admit(x("P0"))
    region.merge(x("P0"), x("P1"))
    region.manager.unmerge(x("P0"), by=BY)
    assert region.others(x("P1")) is None
    assert region.submit(x("P1")) == "XDSUnknownPatientId"
    region.merge(x("P8"), x("P0"))
    region.manager.unmerge(x("P8"), by=BY)
    assert region.others(x("P8")) is None
    assert region.submit(x("P8")) == "XDSUnknownPatientId"
    region.admit(x("P8"))
    assert region.submit(x("P8")) is None


def test_a_survivor_with_documents_stays_known_to_the_registry(region: Region) -> None:
    region.admit(x("P0"))
    region.merge(x("P0"), x("P1"))
    region.submit(x("P1"))
    region.manager.unmerge(x("P0"), by=BY)
    assert region.documents(x("P1")) == [wire(x("P1"))]


def test_an_undo_can_be_undone(region: Region) -> None:
    region.admit(x("P0"), a("7"))
    region.admit(x("P1"), b("8"))
    merge = region.manager.merge(x("P0"), x("P1"), by=BY)
    merged = picture(region, x("P0"), x("P1"), a("7"), b("8"))
    undo = region.manager.undo(merge, by=BY)
    region.manager.undo(undo, by=BY)
    assert picture(region, x("P0"), x("P1"), a("7"), b("8")) == merged
    with pytest.raises(NotUndoable):
        region.manager.undo(undo, by=BY)


def test_an_undo_is_not_undone_against_what_came_later(region: Region) -> None:
    undo = region.manager.undo(region.manager.merge(x("P0"), x("P1"), by=BY), by=BY)
    region.manager.merge(x("P0"), x("P2"), by=BY)
    with pytest.raises(NotUndoable):
        region.manager.undo(undo, by=BY)
    undo = region.manager.undo(region.manager.merge(x("P3"), x("P4"), by=BY), by=BY)
    region.manager.merge(x("P4"), x("P3"), by=BY)
    with pytest.raises(NotUndoable):
        region.manager.undo(undo, by=BY)


def test_undo_of_a_changed_identifier(region: Region) -> None:
    region.admit(x("P1"), a("7"))
    region.submit(x("P1"))
    region.send(FeedEvent.CHANGE_IDENTIFIER, x("P2"), prior_identifiers=(x("P1"),))
    region.manager.unmerge(x("P1"), by=BY)
    assert region.others(a("7")) == ["P1"]
    assert region.documents(x("P1")) == [wire(x("P1"))]
    assert region.others(x("P2")) is None


def test_relationships_between_both_sides_send_an_undo_to_review(region: Region) -> None:
    region.admit(x("P0"))
    region.admit(x("P1"))
    old = submission(entry(patient=wire(x("P0"))))
    region.registry.register(old)
    original = old.objects[1].id
    region.manager.merge(x("P0"), x("P1"), by=BY)
    newer = entry("Document02", patient=wire(x("P1")))
    region.registry.register(submission(newer, association(AssociationType.RPLC, "Document02", original)))
    with pytest.raises(UndoNeedsReview):
        region.manager.unmerge(x("P0"), by=BY)
    assert region.others(x("P0")) is None
    region.manager.unmerge(x("P0"), by=BY, force=True)
    assert region.documents(x("P0")) == [wire(x("P0"))]
    assert region.documents(x("P1")) == [wire(x("P1"))]


# --------------------------------------------------------------------------- links


def test_the_newest_statement_wins_and_older_ones_hold_where_it_leaves_room(region: Region) -> None:
    for identifier in (a("1"), a("2"), b("3")):
        region.admit(identifier)
    region.manager.link(a("1"), b("3"), by=BY)
    region.manager.link(b("3"), a("2"), by=BY)
    assert region.others(a("1")) == ["2", "3"]
    parted = region.manager.unlink(a("1"), a("2"), by=BY)
    assert region.others(a("1")) == []
    assert region.others(a("2")) == ["3"]
    region.manager.undo(parted, by=BY)
    assert region.others(a("1")) == ["2", "3"]
    region.manager.unlink(a("1"), a("2"), by=BY)
    region.manager.link(a("1"), a("2"), by=BY)
    assert region.others(a("1")) == ["2", "3"]


def test_an_unlink_binds_what_messages_say_together(region: Region) -> None:
    region.admit(a("1"), b("3"))
    region.manager.unlink(a("1"), b("3"), by=BY)
    region.admit(a("1"), b("3"))
    assert region.others(a("1")) == []


def test_undoing_what_a_message_said_together_is_final(region: Region) -> None:
    region.admit(a("1"), b("3"))
    [said] = region.manager.history(a("1"))
    region.manager.undo(said.fact.number, by=BY)
    region.admit(a("1"), b("3"), demographics=person("Changed"))
    assert region.others(a("1")) == []


def test_a_decision_said_again_is_the_same_fact(region: Region) -> None:
    region.admit(a("1"))
    region.admit(b("3"))
    assert region.manager.link(a("1"), b("3"), by=BY) == region.manager.link(b("3"), a("1"), by=BY)
    region.admit(a("0"))
    assert region.manager.merge(a("0"), a("1"), by=BY) == region.manager.merge(a("0"), a("1"), by=BY)


# --------------------------------------------------------------------------- the history, and what is refused


def test_the_history_says_who_when_why_and_what_holds(region: Region) -> None:
    region.admit(x("P1"), a("7"), control_id="C7")
    number = region.manager.unlink(x("P1"), a("7"), by=BY, reason="mixed up")
    region.manager.undo(number, by="another clerk", reason="were right")
    together, unlinked, undone = region.manager.history(a("7"))
    assert (together.fact.kind, together.fact.origin, together.fact.cause) == (
        FactKind.TOGETHER,
        "feed HIS|",
        "A01 C7",
    )
    assert (unlinked.subject, unlinked.holds, unlinked.fact.reason) == (x("P1"), False, "mixed up")
    assert (undone.fact.origin, undone.fact.undone, undone.holds) == ("operator another clerk", number, True)
    assert undone.fact.time == 20260301120000
    assert together.other.assigning_authority.universal_id == "1.2.3.1"


def test_what_cannot_be_done_is_refused(region: Region) -> None:
    region.admit(a("1"))
    region.admit(b("3"))
    for refused in (
        lambda: region.manager.link(a("1"), b("9"), by=BY),
        lambda: region.manager.unmerge(a("9"), by=BY),
        lambda: region.manager.history(a("9")),
    ):
        with pytest.raises(UnknownIdentifier):
            refused()
    for impossible in (
        lambda: region.manager.unmerge(a("1"), by=BY),
        lambda: region.manager.undo(4711, by=BY),
    ):
        with pytest.raises(NotUndoable):
            impossible()
    with pytest.raises(FeedRejected) as different:
        region.manager.merge(a("1"), b("3"), by=BY)
    assert different.value.reason is Refusal.FOREIGN_DOMAIN
    with pytest.raises(FeedRejected):
        region.manager.link(a("1"), a("1"), by=BY)
    with pytest.raises(UnknownDomain):
        region.manager.link(a("1"), CX("1"), by=BY)
    with pytest.raises(ValueError, match="author"):
        region.manager.link(a("1"), b("3"), by="")


def test_dead_letters_are_kept_listed_and_settled(region: Region) -> None:
    number = region.manager.bury(b"MSH|", sender="HIS|", control_id="C1", reason="cycle").result()
    [letter] = region.manager.dead_letters()
    assert (letter.number, letter.reason, letter.message, letter.time) == (number, "cycle", b"", 20260301120000)
    found = region.manager.dead_letter(number)
    assert found is not None
    assert found.message == b"MSH|"
    region.manager.settle_dead_letter(number, how="replayed")
    assert region.manager.dead_letters() == []
    assert [one.settled for one in region.manager.dead_letters(settled=True)] == ["replayed"]
    assert region.manager.dead_letter(4711) is None


# --------------------------------------------------------------------------- who is told


def test_consumers_are_told_once_for_each_new_set(new_region: Callable[..., Region]) -> None:
    from xds.pix import Consumer

    only_b = frozenset({number_of(b("").assigning_authority)})
    region = new_region(consumers=(Consumer("ALL"), Consumer("ONLY-B", only_b)))
    store = region.manager.store

    def told() -> list[tuple[str, str]]:
        def read(reader: object) -> list[tuple[str, str]]:
            waiting = reader.notifications()  # type: ignore[attr-defined]
            keys = {i.key: i.id for i in reader.identities([w.identity for w in waiting])}  # type: ignore[attr-defined]
            return sorted((w.consumer, keys[w.identity]) for w in waiting)

        found = store.read(read)
        for consumer in ("ALL", "ONLY-B"):
            for one in store.transaction(lambda t, c=consumer: t.claim_notifications(c, 2**40, 100)):  # type: ignore[misc]
                store.transaction(lambda t, n=one.number: t.end_notification(n))  # type: ignore[misc]
        return found

    region.admit(a("1"))
    assert told() == [("ALL", "1")]
    region.admit(a("1"), demographics=person("Changed"))
    assert told() == []
    region.admit(a("1"), b("3"))
    assert told() == [("ALL", "1"), ("ONLY-B", "1")]
    region.send(FeedEvent.UNLINK, a("1"), linked_identifiers=(b("3"),))
    assert told() == [("ALL", "1"), ("ALL", "3"), ("ONLY-B", "3")]
    region.merge(a("0"), a("1"))
    assert told() == [("ALL", "1")]
    region.manager.unmerge(a("0"), by=BY)
    assert told() == [("ALL", "1")]
