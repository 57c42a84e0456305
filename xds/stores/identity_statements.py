"""SQL statements about identities; see ``statements`` for how they are written and compiled."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from xds.stores import identity_schema as tables
from xds.stores import schema
from xds.stores.statements import Binds, insert_into

_START: Final[sa.ColumnElement[int]] = sa.literal_column(
    "0"
)  # without it SQLAlchemy adds a parameter to a limit on SQLite
WAITING: Final = 0
CLAIMED: Final = 1
GIVEN_UP: Final = 2
# columns of an Identity in the order of its attributes; ``demographics`` follows where they are wanted
_IDENTITY: Final = ("key", "domain", "id", "state", "announced", "person", "survivor", "stamps", "quoted")
# columns of a Fact; the number comes last
_FACT: Final = ("kind", "subject", "other", "time", "undone", "origin", "cause", "reason", "number")


def _identity_columns(whole: bool) -> list[sa.ColumnElement[Any]]:
    t = tables.identity
    return [t.c[name] for name in ((*_IDENTITY, "demographics") if whole else _IDENTITY)]


def identity_read(whole: bool) -> sa.Select[Any]:
    b, t = Binds(), tables.identity
    return sa.select(*_identity_columns(whole)).where(t.c.domain == b.like(t.c.domain), t.c.id == b.like(t.c.id))


def identity_lock() -> sa.Select[Any]:
    return identity_read(True).with_for_update()


def identities_read(whole: bool, number: int) -> sa.Select[Any]:
    b, t = Binds(), tables.identity
    return sa.select(*_identity_columns(whole)).where(t.c.key.in_(b.many(t.c.key, number)))


def persons_read(whole: bool, number: int) -> Any:
    """Everybody whose person is one of these, and those of these keys that are alone."""
    b, t = Binds(), tables.identity
    several = sa.select(*_identity_columns(whole)).where(t.c.person.in_(b.many(t.c.key, number)))
    alone = sa.select(*_identity_columns(whole)).where(t.c.key.in_(b.many(t.c.key, number)), t.c.person.is_(None))
    return sa.union_all(several, alone)


def identity_insert(dialect: str) -> Any:
    b, t = Binds(), tables.identity
    columns = ("domain", "id", "state", "announced", "stamps", "quoted", "demographics")
    insert = insert_into(dialect, t).values({c: b.like(t.c[c]) for c in columns})
    return insert.on_conflict_do_nothing().returning(t.c.key)


def identity_update() -> sa.Update:
    b, t = Binds(), tables.identity
    columns = ("announced", "stamps", "quoted", "demographics")
    return sa.update(t).values({c: b.like(t.c[c]) for c in columns}).where(t.c.key == b.like(t.c.key))


def identity_stamp() -> sa.Update:
    b, t = Binds(), tables.identity
    return sa.update(t).values(stamps=b.like(t.c.stamps)).where(t.c.key == b.like(t.c.key))


def identity_place() -> sa.Update:
    b, t = Binds(), tables.identity
    columns = ("state", "person", "survivor")
    return sa.update(t).values({c: b.like(t.c[c]) for c in columns}).where(t.c.key == b.like(t.c.key))


def identities_all() -> sa.Select[Any]:
    b, t = Binds(), tables.identity
    active = t.c.state == sa.literal_column("1")
    return (
        sa.select(t.c.key)
        .where(t.c.key > b.like(t.c.key), active)
        .order_by(t.c.key)
        .limit(b(sa.Integer()))
        .offset(_START)
    )


# --------------------------------------------------------------------------- search terms


def terms_insert(dialect: str, number: int) -> Any:
    b, t = Binds(), tables.identity_term
    rows = [{"term": b.like(t.c.term), "identity": b.like(t.c.identity)} for _ in range(number)]
    return insert_into(dialect, t).values(rows).on_conflict_do_nothing()


def terms_delete(number: int) -> sa.Delete:
    b, t = Binds(), tables.identity_term
    return sa.delete(t).where(t.c.identity == b.like(t.c.identity), t.c.term.in_(b.many(t.c.term, number)))


def terms_find(prefix: bool, further: int) -> sa.Select[Any]:
    """Identities that have the first term (or one that begins with it) and every further one."""
    b, t = Binds(), tables.identity_term
    query = sa.select(t.c.identity)
    if prefix:
        query = query.distinct().where(t.c.term >= b.like(t.c.term), t.c.term < b.like(t.c.term))
    else:
        query = query.where(t.c.term == b.like(t.c.term))
    query = query.where(t.c.identity > b.like(t.c.identity))
    for n in range(further):
        more = t.alias(f"t{n}")
        query = query.where(
            sa.exists().where(more.c.term == b.like(t.c.term), more.c.identity == t.c.identity).correlate(t)
        )
    return query.order_by(t.c.identity).limit(b(sa.Integer())).offset(_START)


def terms_any(number: int) -> sa.Select[Any]:
    b, t = Binds(), tables.identity_term
    query = sa.select(t.c.term, t.c.identity).where(t.c.term.in_(b.many(t.c.term, number)))
    return query.limit(b(sa.Integer())).offset(_START)


# --------------------------------------------------------------------------- visits


def visits_read(number: int) -> sa.Select[Any]:
    b, t = Binds(), tables.identity_visit
    return sa.select(*t.columns).where(t.c.identity.in_(b.many(t.c.identity, number)))


def visited_read() -> sa.Select[Any]:
    b, t = Binds(), tables.identity_visit
    after = t.c.identity > b.like(t.c.identity)
    return sa.select(t.c.identity).distinct().where(after).order_by(t.c.identity).limit(b(sa.Integer())).offset(_START)


def visit_put(dialect: str) -> Any:
    b, t = Binds(), tables.identity_visit
    insert = insert_into(dialect, t).values({c.name: b.like(c) for c in t.columns})
    said = {c.name: insert.excluded[c.name] for c in t.columns if not c.primary_key}
    return insert.on_conflict_do_update(index_elements=[t.c.identity, t.c.number], set_=said)


def visits_delete(number: int) -> sa.Delete:
    b, t = Binds(), tables.identity_visit
    return sa.delete(t).where(t.c.identity == b.like(t.c.identity), t.c.number.in_(b.many(t.c.number, number)))


# --------------------------------------------------------------------------- facts


def _fact_columns() -> list[sa.ColumnElement[Any]]:
    return [tables.identity_fact.c[name] for name in _FACT]


def facts_read(number: int) -> Any:
    b, t = Binds(), tables.identity_fact
    subjects = sa.select(*_fact_columns()).where(t.c.subject.in_(b.many(t.c.subject, number)))
    others = sa.select(*_fact_columns()).where(t.c.other.in_(b.many(t.c.other, number)))
    return sa.union_all(subjects, others)


def fact_read() -> sa.Select[Any]:
    b, t = Binds(), tables.identity_fact
    return sa.select(*_fact_columns()).where(t.c.number == b.like(t.c.number))


def reviews_read() -> sa.Select[Any]:
    b, t = Binds(), tables.identity_fact
    review = t.c.kind == sa.literal_column("7")  # as the partial index says it
    return sa.select(*_fact_columns()).where(review).order_by(t.c.number).limit(b(sa.Integer())).offset(_START)


def fact_insert(dialect: str) -> Any:
    b, t = Binds(), tables.identity_fact
    return insert_into(dialect, t).values({c: b.like(t.c[c]) for c in _FACT[:-1]}).returning(t.c.number)


# --------------------------------------------------------------------------- domains, messages


def domains_read() -> sa.Select[Any]:
    t = tables.identity_domain
    return sa.select(t.c.authority).order_by(t.c.authority)


def domain_insert(dialect: str) -> Any:
    b, t = Binds(), tables.identity_domain
    return insert_into(dialect, t).values({c.name: b.like(c) for c in t.columns}).on_conflict_do_nothing()


def message_receive(dialect: str) -> Any:
    """A row when the message is new, or its last arrival lies before the window."""
    b, t = Binds(), tables.received_message
    insert = insert_into(dialect, t).values({c.name: b.like(c) for c in t.columns})
    return insert.on_conflict_do_update(
        index_elements=[t.c.message, t.c.content],
        set_={"time": insert.excluded.time},
        where=t.c.time < b.like(t.c.time),
    ).returning(sa.literal_column("1"))


def message_others() -> sa.Select[Any]:
    """Whether this control id came with other content within the window."""
    b, t = Binds(), tables.received_message
    others = sa.exists().where(
        t.c.message == b.like(t.c.message), t.c.content != b.like(t.c.content), t.c.time >= b.like(t.c.time)
    )
    return sa.select(others)


def messages_forget() -> sa.Delete:
    b, t = Binds(), tables.received_message
    old = (
        sa.select(t.c.message, t.c.content)
        .where(t.c.time < b.like(t.c.time))
        .order_by(t.c.time)
        .limit(b(sa.Integer()))
        .offset(_START)
    )
    return sa.delete(t).where(sa.tuple_(t.c.message, t.c.content).in_(old))


# --------------------------------------------------------------------------- the registry's patients


def patient_update() -> sa.Update:
    b, t = Binds(), schema.patient
    return (
        sa.update(t)
        .values(state=b.like(t.c.state), survivor=b.like(t.c.survivor))
        .where(t.c.identifier == b.like(t.c.identifier))
    )


def patient_subsume() -> sa.Update:
    b, t = Binds(), schema.patient
    return (
        sa.update(t)
        .values(state=b.like(t.c.state), survivor=b.like(t.c.survivor))
        .where(sa.or_(t.c.key == b.like(t.c.key), t.c.survivor == b.like(t.c.survivor)))
    )


def patient_keys(number: int) -> sa.Select[Any]:
    b, t = Binds(), schema.patient
    return sa.select(t.c.key).where(t.c.identifier.in_(b.many(t.c.identifier, number)))


def patients_joined(ones: int, others: int) -> sa.Select[Any]:
    """Whether an Association stands under a patient of each side."""
    b, one, other = Binds(), schema.association.alias("one"), schema.association.alias("other")
    return sa.select(
        sa.exists().where(
            one.c.patient.in_(b.many(one.c.patient, ones)),
            other.c.patient.in_(b.many(one.c.patient, others)),
            other.c.entry_uuid == one.c.entry_uuid,
        )
    )


def patient_used() -> sa.Select[Any]:
    """Whether something was submitted under this patient key: every submission has a set."""
    b, t = Binds(), schema.submission_set
    return sa.select(sa.exists().where(t.c.patient == b.like(t.c.patient)))


# --------------------------------------------------------------------------- the outbox


def outbox_insert(dialect: str) -> Any:
    b, t = Binds(), tables.outbox
    columns = ("consumer", "identity", "state", "attempts", "due")
    return insert_into(dialect, t).values({c: b.like(t.c[c]) for c in columns}).on_conflict_do_nothing()


def _outbox_columns() -> list[sa.ColumnElement[Any]]:
    t = tables.outbox
    return [t.c.number, t.c.consumer, t.c.identity, t.c.attempts, t.c.due]


def outbox_read() -> sa.Select[Any]:
    b, t = Binds(), tables.outbox
    return (
        sa.select(*_outbox_columns())
        .where(t.c.state == b.like(t.c.state))
        .order_by(t.c.number)
        .limit(b(sa.Integer()))
        .offset(_START)
    )


def outbox_claim() -> Any:
    b, t = Binds(), tables.outbox
    busy = t.alias("busy")
    due = (
        sa.select(t.c.number)
        .where(
            t.c.consumer == b.like(t.c.consumer),
            t.c.state == sa.literal_column(str(WAITING)),
            t.c.due <= b.like(t.c.due),
            ~sa.exists()
            .where(
                busy.c.consumer == t.c.consumer,
                busy.c.identity == t.c.identity,
                busy.c.state != sa.literal_column(str(WAITING)),
            )
            .correlate(t),
        )
        .order_by(t.c.due, t.c.number)
        .limit(b(sa.Integer()))
        .offset(_START)
        .with_for_update(skip_locked=True)
    )
    update = sa.update(t).values(state=sa.literal_column(str(CLAIMED))).where(t.c.number.in_(due))
    return update.returning(*_outbox_columns())


def outbox_delete() -> sa.Delete:
    b, t = Binds(), tables.outbox
    return sa.delete(t).where(t.c.number == b.like(t.c.number))


def outbox_state(state: int) -> sa.Update:
    """Change the state, unless a row of that consumer and identity has it already."""
    b, t = Binds(), tables.outbox
    same = t.alias("same")
    place: sa.ColumnElement[int] = sa.literal_column(str(state))
    taken = sa.exists().where(same.c.consumer == t.c.consumer, same.c.identity == t.c.identity, same.c.state == place)
    return (
        sa.update(t)
        .values(state=place, attempts=t.c.attempts + sa.literal_column("1"), due=b.like(t.c.due))
        .where(t.c.number == b.like(t.c.number), ~taken.correlate(t))
        .returning(t.c.number)
    )


def outbox_numbers() -> sa.Select[Any]:
    b, t = Binds(), tables.outbox
    return sa.select(t.c.number, t.c.due).where(t.c.state == b.like(t.c.state))


# --------------------------------------------------------------------------- dead letters


def dead_letter_insert(dialect: str) -> Any:
    b, t = Binds(), tables.dead_letter
    columns = ("time", "sender", "control_id", "reason", "settled", "message")
    return insert_into(dialect, t).values({c: b.like(t.c[c]) for c in columns}).returning(t.c.number)


def dead_letters_read(settled: bool) -> sa.Select[Any]:
    b, t = Binds(), tables.dead_letter
    empty = t.c.settled == sa.literal_column("''")
    return (
        sa.select(t.c.time, t.c.sender, t.c.control_id, t.c.reason, t.c.settled, t.c.number)
        .where(~empty if settled else empty)
        .order_by(t.c.number)
        .limit(b(sa.Integer()))
        .offset(_START)
    )


def dead_letter_read() -> sa.Select[Any]:
    b, t = Binds(), tables.dead_letter
    return sa.select(t.c.time, t.c.sender, t.c.control_id, t.c.reason, t.c.settled, t.c.number, t.c.message).where(
        t.c.number == b.like(t.c.number)
    )


def dead_letter_same() -> sa.Select[Any]:
    """The letter with this message that nobody has dealt with."""
    b, t = Binds(), tables.dead_letter
    return sa.select(t.c.number).where(
        t.c.settled == sa.literal_column("''"),
        t.c.sender == b.like(t.c.sender),
        t.c.control_id == b.like(t.c.control_id),
        t.c.message == b.like(t.c.message),
    )


def dead_letters_count() -> sa.Select[Any]:
    t = tables.dead_letter
    return sa.select(sa.func.count()).where(t.c.settled == sa.literal_column("''"))


def dead_letter_settle() -> sa.Update:
    b, t = Binds(), tables.dead_letter
    return sa.update(t).values(settled=b.like(t.c.settled)).where(t.c.number == b.like(t.c.number))


# --------------------------------------------------------------------------- PostgreSQL's advisory locks


def advisory_lock() -> sa.Select[Any]:
    b = Binds()
    return sa.select(sa.func.pg_advisory_xact_lock(b(sa.BigInteger())))
