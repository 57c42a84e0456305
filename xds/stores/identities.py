"""Reads and writes of identities in SQL: what of ``ports.Reader`` and ``ports.Transaction`` is about people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from xds.datatypes.hl7 import HD
from xds.errors import StoreUnavailable
from xds.patients.names import WILDCARD
from xds.patients.records import (
    MOST_LETTERS,
    DeadLetter,
    Fact,
    FactKind,
    Identity,
    IdentityKey,
    IdentityState,
    KeptVisit,
    Notification,
)
from xds.stores import identity_statements as sql
from xds.stores.schema import PatientState
from xds.stores.statements import MAX_ROWS, Statements, chunks, padded, places

_STATES: Final = {int(state): state for state in IdentityState}
_LAST: Final = "\U0010ffff"
_STRUCTURE_LOCK: Final = 0x6968652D666163  # "ihe-fac", PostgreSQL's key of the lock before facts are added


class IdentityReads:
    """``IdentityReader``."""

    _session: Any  # reader.Session, which imports this module
    _statements: Statements

    def identity(self, domain: int, id: str, *, whole: bool = False) -> Identity | None:
        rows = self._session.rows(self._statements.get(sql.identity_read, whole), (domain, id))
        return _identity(rows[0]) if rows else None

    def identities(self, keys: Collection[IdentityKey], *, whole: bool = False) -> list[Identity]:
        found: list[Identity] = []
        for part in chunks(sorted(set(keys))):
            statement = self._statements.get(sql.identities_read, whole, places(len(part)))
            found += map(_identity, self._session.rows(statement, padded(part)))
        return sorted(found, key=_key)

    def persons(self, groups: Collection[IdentityKey], *, whole: bool = False) -> list[Identity]:
        found: list[Identity] = []
        for part in chunks(sorted(set(groups))):
            values = padded(part)
            statement = self._statements.get(sql.persons_read, whole, len(values))
            found += map(_identity, self._session.rows(statement, (*values, *values)))
        return sorted(found, key=_key)

    def facts(self, keys: Collection[IdentityKey]) -> list[Fact]:
        found: dict[int, Fact] = {}
        for part in chunks(sorted(set(keys))):
            values = padded(part)
            rows = self._session.rows(self._statements.get(sql.facts_read, len(values)), (*values, *values))
            found.update((row[-1], _fact(row)) for row in rows)
        return [found[number] for number in sorted(found)]

    def fact(self, number: int) -> Fact | None:
        rows = self._session.rows(self._statements.get(sql.fact_read), (number,))
        return _fact(rows[0]) if rows else None

    def reviews(self, limit: int) -> list[Fact]:
        return [_fact(row) for row in self._session.rows(self._statements.get(sql.reviews_read), (limit,))]

    def with_terms(self, terms: Sequence[str], *, after: IdentityKey = 0, limit: int) -> list[IdentityKey]:
        first, *further = terms
        parameters: list[Any] = [first]
        if prefix := first.endswith(WILDCARD):
            start = first.removesuffix(WILDCARD)
            parameters = [start, start + _LAST]
        statement = self._statements.get(sql.terms_find, prefix, len(further))
        return [row[0] for row in self._session.rows(statement, (*parameters, after, *further, limit))]

    def with_any_term(self, terms: Collection[str], *, limit: int) -> list[tuple[str, IdentityKey]]:
        found: list[tuple[str, IdentityKey]] = []
        for part in chunks(sorted(set(terms))):
            statement = self._statements.get(sql.terms_any, places(len(part)))
            found += map(tuple, self._session.rows(statement, (*padded(part), limit)))
        return found[:limit]

    def visits(self, keys: Collection[IdentityKey]) -> list[KeptVisit]:
        found: list[KeptVisit] = []
        for part in chunks(sorted(set(keys))):
            statement = self._statements.get(sql.visits_read, places(len(part)))
            found += map(_visit, self._session.rows(statement, padded(part)))
        return found

    def visited(self, *, after: IdentityKey, limit: int) -> list[IdentityKey]:
        return [row[0] for row in self._session.rows(self._statements.get(sql.visited_read), (after, limit))]

    def all_identities(self, *, after: IdentityKey, limit: int) -> list[IdentityKey]:
        return [row[0] for row in self._session.rows(self._statements.get(sql.identities_all), (after, limit))]

    def learned_domains(self) -> list[HD]:
        return [HD.parse(row[0], "&") for row in self._session.rows(self._statements.get(sql.domains_read), ())]

    def dead_letters(self, *, settled: bool = False, limit: int = 100) -> list[DeadLetter]:
        rows = self._session.rows(self._statements.get(sql.dead_letters_read, settled), (limit,))
        return [_letter((*row, b"")) for row in rows]

    def dead_letter(self, number: int) -> DeadLetter | None:
        rows = self._session.rows(self._statements.get(sql.dead_letter_read), (number,))
        return _letter(rows[0]) if rows else None

    def notifications(self, *, dead: bool = False, limit: int = 100) -> list[Notification]:
        state = sql.GIVEN_UP if dead else sql.WAITING
        return [Notification(*row) for row in self._session.rows(self._statements.get(sql.outbox_read), (state, limit))]

    def has_documents(self, identifier: str) -> bool:
        keys = self._patient_keys([identifier])
        return bool(keys) and bool(self._session.rows(self._statements.get(sql.patient_used), (keys[0],))[0][0])

    def _patient_keys(self, identifiers: Collection[str]) -> list[int]:
        keys: list[int] = []
        for part in chunks(sorted(identifiers)):
            statement = self._statements.get(sql.patient_keys, places(len(part)))
            keys += [row[0] for row in self._session.rows(statement, padded(part))]
        return keys


class IdentityWrites(IdentityReads):
    """``IdentityWriter`` where one writer excludes everybody else."""

    announce: Callable[[str], bool]  # of ports.Transaction
    lock_patient: Callable[..., Any]
    _shown: dict[int, str]

    def lock_structure(self) -> None:
        pass

    def lock_terms(self, terms: Iterable[str]) -> None:
        pass

    def lock_identity(self, domain: int, id: str) -> Identity | None:
        rows = self._session.rows(self._statements.get(sql.identity_lock), (domain, id))
        return _identity(rows[0]) if rows else None

    def insert_identity(self, identity: Identity) -> IdentityKey | None:
        i = identity
        values = (i.domain, i.id, int(i.state), int(i.announced), i.stamps, i.quoted or None, i.demographics)
        rows = self._session.rows(self._statements.insert(sql.identity_insert), values)
        return rows[0][0] if rows else None

    def update_identity(self, identity: Identity) -> None:
        i = identity
        values = (int(i.announced), i.stamps, i.quoted or None, i.demographics, i.key)
        self._session.run(self._statements.get(sql.identity_update), values)

    def stamp_identity(self, key: IdentityKey, stamps: bytes) -> None:
        self._session.run(self._statements.get(sql.identity_stamp), (stamps, key))

    def place_identity(
        self, key: IdentityKey, state: IdentityState, survivor: IdentityKey | None, person: IdentityKey | None
    ) -> None:
        self._session.run(self._statements.get(sql.identity_place), (int(state), person, survivor, key))

    def add_terms(self, key: IdentityKey, terms: Collection[str]) -> None:
        for part in chunks(sorted(terms), MAX_ROWS):
            statement = self._statements.insert(sql.terms_insert, len(part))
            self._session.run(statement, [value for term in part for value in (term, key)])

    def remove_terms(self, key: IdentityKey, terms: Collection[str]) -> None:
        for part in chunks(sorted(terms)):
            self._session.run(self._statements.get(sql.terms_delete, places(len(part))), (key, *padded(part)))

    def put_visit(self, visit: KeptVisit) -> None:
        v = visit
        values = (v.identity, v.number, v.began, v.heard, v.stamps, v.visit)
        self._session.run(self._statements.insert(sql.visit_put), values)

    def remove_visits(self, identity: IdentityKey, numbers: Collection[int]) -> None:
        for part in chunks(sorted(numbers)):
            self._session.run(self._statements.get(sql.visits_delete, places(len(part))), (identity, *padded(part)))

    def learn_domain(self, authority: HD, number: int) -> None:
        self._session.run(self._statements.insert(sql.domain_insert), (number, str(authority)))

    def record(self, fact: Fact) -> int:
        f = fact
        values = (int(f.kind), f.subject, f.other, f.time, f.undone, f.origin, f.cause, f.reason)
        number: int = self._session.rows(self._statements.insert(sql.fact_insert), values)[0][0]
        return number

    def receive(self, message: int, content: int, now: int, since: int) -> tuple[bool, bool]:
        values = (message, content, now, since)
        if not self._session.rows(self._statements.insert(sql.message_receive), values):
            return False, False
        others = self._session.rows(self._statements.get(sql.message_others), (message, content, since))
        return True, bool(others[0][0])

    def forget_messages(self, before: int, limit: int) -> None:
        self._session.run(self._statements.get(sql.messages_forget), (before, limit))

    # ----------------------------------------------------------------- the registry's patients

    def place_patient(self, identifier: str, survivor: str | None, *, known: bool) -> None:
        state = PatientState.ACTIVE if survivor is None else PatientState.SUBSUMED
        key = None
        if survivor is not None:
            last = self.lock_patient(survivor, create=True)
            key = last.key
        record = self.lock_patient(identifier, create=known or survivor is not None)
        if record is None:
            return
        if survivor is None and not known and not self.has_documents(identifier):
            state = PatientState.ABSENT
        self._session.run(self._statements.get(sql.patient_update), (int(state), key, identifier))
        self._shown.clear()

    def subsume_patient(self, identifier: str, survivor: str) -> None:
        record, last = self.lock_patient(identifier), self.lock_patient(survivor)
        values = (int(PatientState.SUBSUMED), last.key, record.key, record.key)
        self._session.run(self._statements.get(sql.patient_subsume), values)
        self._shown.clear()

    def tangled(self, ones: Collection[str], others: Collection[str]) -> bool:
        here, there = self._patient_keys(ones), self._patient_keys(others)
        if not here or not there:
            return False
        values = (padded(here), padded(there))
        statement = self._statements.get(sql.patients_joined, len(values[0]), len(values[1]))
        return bool(self._session.rows(statement, (*values[0], *values[1]))[0][0])

    # ----------------------------------------------------------------- the outbox

    def notify(self, consumer: str, identity: IdentityKey, now: int) -> None:
        self._session.run(self._statements.insert(sql.outbox_insert), (consumer, identity, sql.WAITING, 0, now))

    def claim_notifications(self, consumer: str, now: int, limit: int) -> list[Notification]:
        rows = self._session.rows(self._statements.get(sql.outbox_claim), (consumer, now, limit))
        return sorted((Notification(*row) for row in rows), key=_place)

    def end_notification(self, number: int) -> None:
        self._session.run(self._statements.get(sql.outbox_delete), (number,))

    def return_notification(self, number: int, due: int) -> None:
        if not self._session.rows(self._statements.get(sql.outbox_state, sql.WAITING), (due, number)):
            self.end_notification(number)  # a newer one waits, and says all that this one would have said

    def give_up_notification(self, number: int) -> None:
        self._session.rows(self._statements.get(sql.outbox_state, sql.GIVEN_UP), (0, number))

    def release_notifications(self) -> None:
        for number, due in self._session.rows(self._statements.get(sql.outbox_numbers), (sql.CLAIMED,)):
            self.return_notification(number, due)

    # ----------------------------------------------------------------- dead letters

    def bury(self, letter: DeadLetter) -> int:
        x = letter
        same = self._session.rows(self._statements.get(sql.dead_letter_same), (x.sender, x.control_id, x.message))
        if same:
            return int(same[0][0])
        if self._session.rows(self._statements.get(sql.dead_letters_count), ())[0][0] >= MOST_LETTERS:
            raise StoreUnavailable("too many dead letters wait for somebody to deal with them")
        values = (x.time, x.sender, x.control_id, x.reason, x.settled, x.message)
        number: int = self._session.rows(self._statements.insert(sql.dead_letter_insert), values)[0][0]
        return number

    def settle_dead_letter(self, number: int, how: str) -> None:
        self._session.run(self._statements.get(sql.dead_letter_settle), (how, number))


class PostgresIdentityLocks:
    """What locks where several write at once: advisory locks, held until the transaction ends."""

    _session: Any
    _statements: Statements

    def lock_structure(self) -> None:
        self._lock(_STRUCTURE_LOCK)

    def lock_terms(self, terms: Iterable[str]) -> None:
        for term in sorted(terms):
            self._lock(int.from_bytes(hashlib.sha256(term.encode()).digest()[:8], signed=True))

    def _lock(self, key: int) -> None:
        self._session.rows(self._statements.get(sql.advisory_lock), (key,))


def _identity(row: Sequence[Any]) -> Identity:
    key, domain, id, state, announced, person, survivor, stamps, quoted = row[:9]
    demographics = row[9] if len(row) > 9 else None
    return Identity(
        key,
        domain,
        id,
        _STATES[state],
        announced == 1,
        person,
        survivor,
        bytes(stamps or b""),
        quoted or "",
        bytes(demographics or b""),
    )


def _visit(row: Sequence[Any]) -> KeptVisit:
    identity, number, began, heard, stamps, visit = row
    return KeptVisit(
        identity=identity, number=number, began=began, heard=heard, stamps=bytes(stamps), visit=bytes(visit)
    )


def _fact(row: Sequence[Any]) -> Fact:
    kind, subject, other, time, undone, origin, cause, reason, number = row
    return Fact(
        kind=FactKind(kind),
        subject=subject,
        other=other,
        time=time,
        origin=origin,
        cause=cause,
        reason=reason,
        undone=undone,
        number=number,
    )


def _letter(row: Sequence[Any]) -> DeadLetter:
    time, sender, control_id, reason, settled, number, message = row
    return DeadLetter(
        time=time,
        sender=sender,
        control_id=control_id,
        reason=reason,
        message=bytes(message),
        settled=settled,
        number=number,
    )


def _key(identity: Identity) -> IdentityKey:
    return identity.key


def _place(notification: Notification) -> tuple[int, int]:
    return notification.due, notification.number
