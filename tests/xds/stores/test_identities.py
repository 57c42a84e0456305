"""The store's part in identities, on both databases: every statement is answered by an index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from xds.datatypes.hl7 import HD
from xds.patients.records import DeadLetter, Fact, FactKind, Identity, IdentityState, KeptVisit
from xds.ports import Reader, Transaction
from xds.stores import SqlStore

DOMAIN = 4711
PATIENT = "P1^^^&1.2.3&ISO"
SURVIVOR = "P2^^^&1.2.3&ISO"


def identity(id: str, **more: Any) -> Identity:
    return Identity(0, DOMAIN, id, IdentityState.ACTIVE, True, **more)


def insert(transaction: Transaction, id: str, **more: Any) -> int:
    key = transaction.insert_identity(identity(id, **more))
    assert key is not None
    return key


def fact(kind: FactKind, subject: int, other: int, **more: Any) -> Fact:
    return Fact(kind=kind, subject=subject, other=other, time=20260301120000, origin="a test", **more)


def everything(transaction: Transaction) -> None:
    one = insert(transaction, "1", stamps=b"s", quoted="q", demographics=b"d")
    two = insert(transaction, "2")
    assert transaction.insert_identity(identity("1")) is None
    found = transaction.lock_identity(DOMAIN, "1")
    assert found is not None
    assert (found.key, found.stamps, found.quoted, found.demographics) == (one, b"s", "q", b"d")
    transaction.lock_structure()
    transaction.lock_terms(["x"])
    transaction.update_identity(found)
    transaction.stamp_identity(one, b"t")
    transaction.place_identity(one, IdentityState.SUBSUMED, two, one)
    transaction.place_identity(two, IdentityState.ACTIVE, None, one)
    transaction.add_terms(one, ["fa", "fab", "ga"])
    transaction.add_terms(two, ["fab", "gb"])
    transaction.remove_terms(two, ["gb", "nothing"])
    visit = KeptVisit(identity=two, number=7, began=20260101000000, heard=1, stamps=b"s", visit=b"v")
    transaction.put_visit(visit)
    transaction.put_visit(replace(visit, heard=2, visit=b"w"))
    transaction.put_visit(replace(visit, number=0))
    transaction.put_visit(replace(visit, number=9))
    transaction.put_visit(replace(visit, identity=one))
    transaction.remove_visits(two, [9, 11])
    transaction.remove_visits(two, [])
    transaction.learn_domain(HD("N", "1.2", "ISO"), 5)
    transaction.learn_domain(HD("N", "1.2", "ISO"), 5)
    transaction.record(fact(FactKind.MERGE, one, two))
    transaction.record(fact(FactKind.REVIEW, two, one, reason="in doubt"))
    assert transaction.receive(1, 2, 100, 50) == (True, False)
    assert transaction.receive(1, 2, 101, 51) == (False, False)
    assert transaction.receive(1, 3, 102, 52) == (True, True)
    assert transaction.receive(1, 2, 900, 800) == (True, False)
    transaction.forget_messages(500, 10)
    assert transaction.receive(1, 3, 901, 1) == (True, True)
    transaction.bury(DeadLetter(time=1, sender="S", control_id="C", reason="r", message=b"m"))
    transaction.settle_dead_letter(4711, "never was")


def test_what_was_written_is_read(store: SqlStore) -> None:
    store.transaction(everything)

    def read(reader: Reader) -> None:
        one, two = reader.identity(DOMAIN, "1"), reader.identity(DOMAIN, "2")
        assert one is not None
        assert two is not None
        assert (one.state, one.survivor, one.group, one.stamps) == (IdentityState.SUBSUMED, two.key, one.key, b"t")
        assert [i.key for i in reader.persons([one.group])] == [one.key, two.key]
        assert [i.demographics for i in reader.identities([two.key, one.key], whole=True)] == [b"d", b""]
        assert reader.with_terms(["fab"], limit=9) == [one.key, two.key]
        assert reader.with_terms(["fab"], after=one.key, limit=9) == [two.key]
        assert reader.with_terms(["fa*"], limit=9) == [one.key, two.key]
        assert reader.with_terms(["fa*", "ga"], limit=9) == [one.key]
        assert reader.with_terms(["gb"], limit=9) == []
        kept = sorted(reader.visits([two.key]), key=lambda v: v.number)
        assert [(v.number, v.heard, v.stamps, v.visit) for v in kept] == [(0, 1, b"s", b"v"), (7, 2, b"s", b"w")]
        assert len(reader.visits([one.key, two.key])) == 3
        assert reader.visits([]) == []
        assert reader.visited(after=0, limit=9) == [one.key, two.key]
        assert reader.visited(after=one.key, limit=9) == [two.key]
        assert reader.all_identities(after=0, limit=9) == [two.key]
        assert [f.kind for f in reader.facts([two.key])] == [FactKind.MERGE, FactKind.REVIEW]
        [review] = reader.reviews(9)
        assert reader.fact(review.number) == review
        assert reader.fact(4711) is None
        assert reader.learned_domains() == [HD("N", "1.2", "ISO")]
        assert len(reader.dead_letters()) == 1

    store.read(read)


def test_patients_are_placed(store: SqlStore) -> None:
    def work(transaction: Transaction) -> None:
        transaction.place_patient(PATIENT, SURVIVOR, known=True)
        survivor = transaction.patient(SURVIVOR)
        assert survivor is not None
        assert len(survivor.tree) == 2
        transaction.place_patient(PATIENT, None, known=False)
        assert transaction.patient(PATIENT) is None
        transaction.place_patient("P9^^^&1.2.3&ISO", None, known=False)
        assert transaction.patient("P9^^^&1.2.3&ISO") is None
        assert transaction.announce(PATIENT)
        assert not transaction.announce(PATIENT)
        again = transaction.lock_patient(PATIENT)
        assert again is not None
        assert again.active
        assert not transaction.tangled([PATIENT], [SURVIVOR, "unknown"])
        assert not transaction.has_documents(PATIENT)
        transaction.place_patient(PATIENT, None, known=False)
        revived = transaction.lock_patient(PATIENT, create=True)
        assert revived is not None
        assert revived.key == again.key

    store.transaction(work)


def test_the_outbox_gives_each_identity_one_at_a_time(store: SqlStore) -> None:
    def work(transaction: Transaction) -> None:
        for number, identity_ in enumerate((1, 2, 1)):
            transaction.notify("C", identity_, 100 + number)
        transaction.notify("OTHER", 1, 100)
        first, second = transaction.claim_notifications("C", 200, 9)
        assert (first.identity, second.identity) == (1, 2)
        transaction.notify("C", 1, 150)  # while the first is under way
        assert transaction.claim_notifications("C", 200, 9) == []
        transaction.return_notification(first.number, 300)  # the newer one says it all
        [again] = transaction.claim_notifications("C", 200, 9)
        assert (again.identity, again.due) == (1, 150)
        transaction.return_notification(second.number, 300)
        assert transaction.claim_notifications("C", 200, 9) == []
        [later] = transaction.claim_notifications("C", 300, 9)
        assert (later.number, later.attempts) == (second.number, 1)
        transaction.give_up_notification(later.number)
        transaction.notify("C", 2, 100)
        assert transaction.claim_notifications("C", 400, 9) == []  # blocked by the one that was given up
        assert [n.identity for n in transaction.notifications(dead=True)] == [2]
        transaction.end_notification(later.number)
        assert [n.identity for n in transaction.claim_notifications("C", 400, 9)] == [2]
        transaction.release_notifications()
        assert sorted(n.identity for n in transaction.notifications()) == [1, 1, 2]

    store.transaction(work)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_statement_has_an_index(
    kind: str,
    request: pytest.FixtureRequest,
    opened: Callable[..., SqlStore],
    explain: Callable[[SqlStore], dict[str, str]],
) -> None:
    store = opened(request.getfixturevalue(f"{kind}_database"))
    test_what_was_written_is_read(store)
    test_the_outbox_gives_each_identity_one_at_a_time(store)
    small = ("identity_domain", "store_state", "dead_letter")
    for text, plan in explain(store).items():
        listing = text.startswith("SELECT outbox.")  # what waits, in order, up to a limit
        if not listing and not any(table in text for table in small):
            for line in plan.splitlines():
                assert "Seq Scan" not in line, (text, plan)
                assert not line.startswith("SCAN") or "USING" in line or "CONSTANT" in line or "1-ROW" in line, (
                    text,
                    plan,
                )
