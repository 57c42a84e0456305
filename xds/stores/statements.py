"""Every SQL statement of the store, written once in SQLAlchemy Core and compiled once per database.

A builder makes a statement whose parameters are ``p0``, ``p1``, … in the order in which they stand in the text. Lists
have a fixed number of places; :func:`padded` fills them up to the next power of two by repeating the last value, so
that a few texts serve every length and the databases' own statement caches hit. Compiling costs about half a
millisecond and happens once per text; running one costs what the driver costs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect

from xds.stores import schema
from xds.vocab.ebrim import ObjectKind

V = TypeVar("V")

MAX_LIST: Final = 256  # places in one list; longer lists are cut into several statements
MAX_ROWS: Final = 16  # rows in one INSERT

TABLES: Final = {
    ObjectKind.DOCUMENT_ENTRY: schema.document_entry,
    ObjectKind.SUBMISSION_SET: schema.submission_set,
    ObjectKind.FOLDER: schema.folder,
    ObjectKind.ASSOCIATION: schema.association,
}
# what orders the result of a Find query, newest first
TIME_COLUMN: Final = {
    ObjectKind.DOCUMENT_ENTRY: "creation_time",
    ObjectKind.SUBMISSION_SET: "submission_time",
    ObjectKind.FOLDER: "last_update_time",
}
_COMMON: Final = ("patient", "entry_uuid", "status", "version", "lid")
# columns of a StoredObject by kind, the time of TIME_COLUMN always at index 6; ``fragment`` follows where it is wanted
STORED_COLUMNS: Final = {
    ObjectKind.DOCUMENT_ENTRY: (
        *_COMMON,
        "unique_id",
        "creation_time",
        "object_type",
        "format_code",
        "confidentiality_codes",
    ),
    ObjectKind.SUBMISSION_SET: (*_COMMON, "unique_id", "submission_time"),
    ObjectKind.FOLDER: (*_COMMON, "unique_id", "last_update_time"),
    ObjectKind.ASSOCIATION: (*_COMMON, "association_type", "source", "target", "owner"),
}


class Binds:
    """Hands out parameters ``p0``, ``p1``, … typed like the column they meet."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, type_: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
        self.count += 1
        return sa.bindparam(f"p{self.count - 1}", type_=type_)

    def like(self, column: sa.ColumnElement[Any]) -> sa.BindParameter[Any]:
        return self(column.type)

    def many(self, column: sa.ColumnElement[Any], number: int) -> list[sa.BindParameter[Any]]:
        return [self(column.type) for _ in range(number)]


def places(number: int) -> int:
    """The number of places in a list of ``number`` values: the next power of two."""
    return 1 << (number - 1).bit_length() if number > 1 else 1


def padded(values: Sequence[V]) -> list[V]:
    """``values``, repeated at the end up to :func:`places`."""
    return [*values, *[values[-1]] * (places(len(values)) - len(values))]


def chunks(values: Sequence[V], size: int = MAX_LIST) -> list[Sequence[V]]:
    if len(values) <= size:
        return [values] if values else []
    return [values[start : start + size] for start in range(0, len(values), size)]


# --------------------------------------------------------------------------- patients


def patient_read() -> sa.Select[Any]:
    """Key and state of an identifier, with one row per identifier merged into it (or one row with NULL)."""
    b, own, merged = Binds(), schema.patient.alias("own"), schema.patient.alias("merged")
    return (
        sa.select(own.c.key, own.c.state, merged.c.key)
        .select_from(own.outerjoin(merged, merged.c.survivor == own.c.key))
        .where(own.c.identifier == b.like(own.c.identifier))
    )


def patient_lock() -> sa.Select[Any]:
    b, t = Binds(), schema.patient
    return sa.select(t.c.key).where(t.c.identifier == b.like(t.c.identifier)).with_for_update()


def patient_insert(dialect: str) -> Any:
    """Make an identifier known; no row comes back for one that is."""
    b, t = Binds(), schema.patient
    columns = ("identifier", "state", "created")
    insert = insert_into(dialect, t).values({c: b.like(t.c[c]) for c in columns})
    absent = t.c.state == sa.literal_column(str(int(schema.PatientState.ABSENT)))
    again = insert.on_conflict_do_update(
        index_elements=[t.c.identifier], set_={"state": insert.excluded.state}, where=absent
    )
    return again.returning(t.c.key)


def patient_identifiers(number: int) -> sa.Select[Any]:
    """Patient key → the identifier its objects show: the surviving one (DESIGN: documents follow by alias)."""
    b, own, last = Binds(), schema.patient.alias("own"), schema.patient.alias("last")
    return (
        sa.select(own.c.key, last.c.identifier)
        .select_from(own.join(last, last.c.key == sa.func.coalesce(own.c.survivor, own.c.key)))
        .where(own.c.key.in_(b.many(own.c.key, number)))
    )


# --------------------------------------------------------------------------- directory


def directory_read(number: int) -> sa.Select[Any]:
    b, t = Binds(), schema.directory
    return sa.select(t.c.identifier, t.c.kind, t.c.patient).where(t.c.identifier.in_(b.many(t.c.identifier, number)))


def holders_read(number: int) -> Any:
    """Every holder of these identifiers, the first one before the further ones."""
    b, t, more = Binds(), schema.directory, schema.directory_more
    first = sa.select(t.c.identifier, t.c.kind, t.c.patient, t.c.entry_uuid, t.c.hash, t.c.size).where(
        t.c.identifier.in_(b.many(t.c.identifier, number))
    )
    further = sa.select(
        more.c.identifier, sa.literal_column("0"), more.c.patient, more.c.entry_uuid, sa.null(), sa.null()
    ).where(more.c.identifier.in_(b.many(more.c.identifier, number)))
    return sa.union_all(first, further)


def directory_claim(dialect: str, number: int) -> Any:
    """Claim identifiers; returns those that were free."""
    b, t = Binds(), schema.directory
    rows = [{c.name: b.like(c) for c in t.columns} for _ in range(number)]
    return insert_into(dialect, t).values(rows).on_conflict_do_nothing().returning(t.c.identifier)


def directory_share(dialect: str) -> Any:
    b, t = Binds(), schema.directory_more
    return insert_into(dialect, t).values({c.name: b.like(c) for c in t.columns}).on_conflict_do_nothing()


# --------------------------------------------------------------------------- objects


def stored_columns(kind: ObjectKind, *, references: bool) -> list[sa.ColumnElement[Any]]:
    t = TABLES[kind]
    columns: list[sa.ColumnElement[Any]] = [t.c[name] for name in STORED_COLUMNS[kind]]
    return columns if references else [*columns, t.c.fragment]


def objects_read(kind: ObjectKind, references: bool, number: int) -> sa.Select[Any]:
    """Objects of one patient by entryUUID."""
    b, t = Binds(), TABLES[kind]
    return sa.select(*stored_columns(kind, references=references)).where(
        t.c.patient == b.like(t.c.patient), t.c.entry_uuid.in_(b.many(t.c.entry_uuid, number))
    )


def associations_read(side: str, references: bool, number: int, types: int) -> sa.Select[Any]:
    """Associations under one patient with these sources (or targets) and, when ``types``, of these types."""
    b, t = Binds(), schema.association
    query = sa.select(*stored_columns(ObjectKind.ASSOCIATION, references=references)).where(
        t.c.patient == b.like(t.c.patient), t.c[side].in_(b.many(t.c[side], number))
    )
    if types:
        query = query.where(t.c.association_type.in_(b.many(t.c.association_type, types)))
    return query


def rows_insert(dialect: str, table: sa.Table, number: int) -> Any:
    b = Binds()
    return insert_into(dialect, table).values([{c.name: b.like(c) for c in table.columns} for _ in range(number)])


def rows_insert_all(dialect: str, shape: tuple[tuple[sa.Table, int], ...]) -> Any:
    """One statement that inserts into several tables (PostgreSQL only)."""
    b = Binds()
    inserts = [
        insert_into(dialect, table)
        .values([{c.name: b.like(c) for c in table.columns} for _ in range(number)])
        .returning(sa.literal_column("1"))
        .cte(f"i{index}")
        for index, (table, number) in enumerate(shape)
    ]
    return sa.select(sa.literal_column("1")).add_cte(*inserts)


def status_update(kind: ObjectKind, number: int) -> sa.Update:
    b, t = Binds(), TABLES[kind]
    return (
        sa.update(t)
        .values(status=b.like(t.c.status))
        .where(t.c.patient == b.like(t.c.patient), t.c.entry_uuid.in_(b.many(t.c.entry_uuid, number)))
    )


def ends_read(number: int) -> sa.Select[Any]:
    """Source and target of associations of one patient."""
    b, t = Binds(), schema.association
    return sa.select(t.c.source, t.c.target).where(
        t.c.patient == b.like(t.c.patient), t.c.entry_uuid.in_(b.many(t.c.entry_uuid, number))
    )


def folder_time_read() -> sa.Select[Any]:
    b, t = Binds(), schema.folder
    return (
        sa.select(t.c.last_update_time)
        .where(t.c.patient == b.like(t.c.patient), t.c.entry_uuid == b.like(t.c.entry_uuid))
        .with_for_update()
    )


def folder_time_update() -> sa.Update:
    b, t = Binds(), schema.folder
    return (
        sa.update(t)
        .values(last_update_time=b.like(t.c.last_update_time))
        .where(t.c.patient == b.like(t.c.patient), t.c.entry_uuid == b.like(t.c.entry_uuid))
    )


# --------------------------------------------------------------------------- documents


def document_read() -> sa.Select[Any]:
    b, t = Binds(), schema.document
    return sa.select(t.c.mime_type, t.c.size, t.c.hash, t.c.format, t.c.path, t.c.content).where(
        t.c.unique_id == b.like(t.c.unique_id)
    )


def document_same() -> sa.Select[Any]:
    """What decides whether a document is already here, without its bytes."""
    b, t = Binds(), schema.document
    return sa.select(t.c.size, t.c.hash, t.c.path).where(t.c.unique_id == b.like(t.c.unique_id))


def document_insert(dialect: str) -> Any:
    b, t = Binds(), schema.document
    insert = insert_into(dialect, t).values({c.name: b.like(c) for c in t.columns})
    return insert.on_conflict_do_nothing().returning(sa.literal_column("1"))


def document_paths(number: int) -> sa.Select[Any]:
    b, t = Binds(), schema.document
    # "IS NOT NULL" again, so that the partial index serves
    return sa.select(t.c.path).where(t.c.path.is_not(None), t.c.path.in_(b.many(t.c.path, number)))


def document_delete() -> Any:
    b, t = Binds(), schema.document
    return sa.delete(t).where(t.c.unique_id == b.like(t.c.unique_id)).returning(t.c.path)


# --------------------------------------------------------------------------- the journal


def journal_read() -> sa.Select[Any]:
    b, t = Binds(), schema.journal
    return sa.select(t.c.key, t.c.content).where(t.c.kind == b.like(t.c.kind)).order_by(t.c.number)


def journal_write(dialect: str) -> Any:
    b, t = Binds(), schema.journal
    insert = insert_into(dialect, t).values({name: b.like(t.c[name]) for name in ("kind", "key", "content")})
    return insert.on_conflict_do_update(index_elements=[t.c.kind, t.c.key], set_={"content": insert.excluded.content})


def journal_erase() -> sa.Delete:
    b, t = Binds(), schema.journal
    return sa.delete(t).where(t.c.kind == b.like(t.c.kind), t.c.key == b.like(t.c.key))


# --------------------------------------------------------------------------- the store itself


def group_read() -> sa.Select[Any]:
    t = schema.store_state
    return sa.select(t.c.number).where(t.c.name == sa.literal_column("'group'"))


def identity_read() -> sa.Select[Any]:
    t = schema.store_state
    return sa.select(t.c.number).where(t.c.name == sa.literal_column("'identity'"))


def group_update() -> sa.Update:
    b, t = Binds(), schema.store_state
    return sa.update(t).values(number=b.like(t.c.number)).where(t.c.name == sa.literal_column("'group'"))


# --------------------------------------------------------------------------- compiling


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement; ``encoded`` is the form psycopg takes."""

    text: str
    encoded: bytes
    parameters: int


def insert_into(dialect: str, table: sa.Table) -> Any:
    # the two Insert classes have on_conflict_do_nothing in common, but no base that names it
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _sqlite_dialect() -> Dialect:
    return SQLiteDialect_pysqlite(paramstyle="qmark")


def _postgres_dialect() -> Dialect:
    # PostgreSQL's own $1, $2, …: psycopg passes them on unread, and does not have to look for its own in every text
    dialect: Dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's
    return dialect


@dataclass(slots=True)
class Statements:
    """Compiled statements of one database, by builder and shape."""

    dialect: str  # "sqlite" or "postgresql"
    limit: int = 4096  # texts kept; Find queries come in many shapes
    _cache: dict[Hashable, Statement] = field(default_factory=dict)

    def get(self, builder: Callable[..., Any], *shape: Hashable) -> Statement:
        key = (builder, shape)
        statement = self._cache.get(key)
        if statement is None:
            if len(self._cache) >= self.limit:
                self._cache.clear()
            statement = self._cache[key] = self.compile(builder(*shape))
        return statement

    def insert(self, builder: Callable[..., Any], *shape: Hashable) -> Statement:
        """As ``get``, for builders that need to know the dialect."""
        return self.get(builder, self.dialect, *shape)

    def compile(self, statement: Any) -> Statement:
        dialect = _postgres_dialect() if self.dialect == "postgresql" else _sqlite_dialect()
        compiled = statement.compile(dialect=dialect)
        names = list(compiled.positiontup or ())
        if names != [f"p{index}" for index in range(len(names))]:
            raise AssertionError(f"parameters out of order: {names}")
        text = str(compiled)
        return Statement(text, text.encode(), len(names))
