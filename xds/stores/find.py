"""Find queries: criteria → a statement and its parameters (ITI TF-2, 3.18.4.1.2.3.7.1 to 3.18.4.1.2.3.7.4).

The text depends on the *shape* of the criteria only (which filters, how many places each), so it is compiled once per
shape. Patterns are not part of it: they are matched on packed columns and fragments of the rows that come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from xds.ebxml import fragments
from xds.ports import Criteria, PatientKey
from xds.stores.patterns import matches, matches_each
from xds.stores.rows import digest, shortened
from xds.stores.schema import SEPARATOR, CodeAttribute, object_code
from xds.stores.statements import STORED_COLUMNS, TABLES, TIME_COLUMN, Binds, padded, places, stored_columns
from xds.vocab.ebrim import ObjectKind

_PACKED = {
    ObjectKind.DOCUMENT_ENTRY: ("title", "reference_ids"),
    ObjectKind.SUBMISSION_SET: ("title",),
    ObjectKind.FOLDER: ("title",),
}
_TIMES = {
    ObjectKind.DOCUMENT_ENTRY: frozenset(("creation_time", "service_start_time", "service_stop_time")),
    ObjectKind.SUBMISSION_SET: frozenset(("submission_time",)),
    ObjectKind.FOLDER: frozenset(("last_update_time",)),
}
_CODES = {
    ObjectKind.DOCUMENT_ENTRY: frozenset(
        (
            "class_code",
            "type_code",
            "practice_setting_code",
            "healthcare_facility_type_code",
            "format_code",
            "repository_unique_id",
            "mime_type",
        )
    ),
    ObjectKind.SUBMISSION_SET: frozenset(("content_type_code", "source_id")),
    ObjectKind.FOLDER: frozenset[str](),
}
_IN_FULL = frozenset(("format_code",))  # attributes whose column has the text, because it is read back


class Shape(NamedTuple):
    """Everything of criteria that decides the text of the statement."""

    kind: ObjectKind
    patients: int
    statuses: int
    object_types: int
    one_of: tuple[tuple[str, int], ...]
    none_of: tuple[tuple[str, int], ...]
    codes: tuple[tuple[str, int], ...]
    codes_excluded: tuple[tuple[str, int], ...]
    times: tuple[tuple[str, bool, bool], ...]
    references: bool
    packed: bool
    limited: bool


def has_patterns(criteria: Criteria) -> bool:
    return bool(has_author_patterns(criteria) or criteria.titles or criteria.reference_ids_like)


def has_author_patterns(criteria: Criteria) -> bool:
    """Whether the fragments are needed to know what is found."""
    return bool(criteria.author_persons or criteria.author_persons_excluded or criteria.author_institutions)


def shape_of(
    criteria: Criteria, patients: Sequence[PatientKey], *, references: bool, packed: bool, limited: bool
) -> Shape:
    """The shape; a ValueError for an attribute that objects of this kind do not have."""
    kind = criteria.kind
    for name in (*criteria.one_of, *criteria.none_of):
        if name not in _CODES[kind]:
            raise ValueError(f"{kind.name} has no {name} to select on")
    for time in criteria.times:
        if time.attribute not in _TIMES[kind]:
            raise ValueError(f"{kind.name} has no {time.attribute} to select on")
    return Shape(
        kind,
        places(len(patients)),
        places(len(criteria.statuses)) if criteria.statuses else 0,
        places(len(criteria.object_types)) if criteria.object_types and kind is ObjectKind.DOCUMENT_ENTRY else 0,
        tuple((name, places(len(values))) for name, values in criteria.one_of.items() if values),
        tuple((name, places(len(values))) for name, values in criteria.none_of.items() if values),
        tuple((name, places(len(values))) for name, values in criteria.codes if values),
        tuple((name, places(len(values))) for name, values in criteria.codes_excluded if values),
        tuple((t.attribute, t.start is not None, t.end is not None) for t in criteria.times),
        references,
        packed,
        limited,
    )


def parameters_of(criteria: Criteria, patients: Sequence[PatientKey], limit: int | None) -> list[Any]:
    """The parameters, in the order of :func:`find_statement`."""
    values: list[Any] = padded(patients)
    if criteria.statuses:
        values += padded([int(status) for status in criteria.statuses])
    if criteria.object_types and criteria.kind is ObjectKind.DOCUMENT_ENTRY:
        values += padded([shortened(urn) for urn in criteria.object_types])
    for name, group in (*criteria.one_of.items(), *criteria.none_of.items()):
        if group:
            values += padded(group if name in _IN_FULL else [digest(value) for value in group])
    for _, group in (*criteria.codes, *criteria.codes_excluded):
        if group:
            values += padded([digest(value) for value in group])
    for time in criteria.times:
        values += [bound for bound in (time.start, time.end) if bound is not None]
    if limit is not None:
        values.append(limit)
    return values


def find_statement(shape: Shape) -> sa.Select[Any]:
    b, t = Binds(), TABLES[shape.kind]
    columns = stored_columns(shape.kind, references=shape.references)
    if shape.packed:
        columns = [*columns, *(t.c[name] for name in _PACKED[shape.kind])]
    where: list[sa.ColumnElement[bool]] = [t.c.patient.in_(b.many(t.c.patient, shape.patients))]
    if shape.statuses:
        where.append(t.c.status.in_(b.many(t.c.status, shape.statuses)))
    if shape.object_types:
        where.append(t.c.object_type.in_(b.many(t.c.object_type, shape.object_types)))
    where += [t.c[name].in_(b.many(t.c[name], number)) for name, number in shape.one_of]
    # an object without the attribute has none of the excluded values
    where += [
        sa.or_(t.c[name].is_(None), t.c[name].not_in(b.many(t.c[name], number))) for name, number in shape.none_of
    ]
    where += [_has_code(b, t, name, number) for name, number in shape.codes]
    where += [sa.not_(_has_code(b, t, name, number)) for name, number in shape.codes_excluded]
    where += [_in_range(b, t.c[name], start, end) for name, start, end in shape.times if start or end]
    query = sa.select(*columns).where(*where)
    if shape.limited:
        newest = t.c[TIME_COLUMN[shape.kind]].desc().nulls_last()
        query = _limit(query.order_by(newest, t.c.entry_uuid), b)
    return query


def _limit(query: sa.Select[Any], b: Binds) -> sa.Select[Any]:
    # SQLAlchemy's limit() adds an OFFSET parameter on SQLite
    name = f"p{b.count}"
    return query.suffix_with(sa.text(f"LIMIT :{name}").bindparams(sa.bindparam(name, type_=sa.BigInteger())))


def _has_code(b: Binds, t: sa.Table, attribute: str, number: int) -> sa.ColumnElement[bool]:
    c = object_code.c
    return sa.exists().where(
        c.patient == t.c.patient,
        c.entry_uuid == t.c.entry_uuid,
        c.attribute == sa.literal_column(str(int(CodeAttribute[attribute]))),
        c.value.in_(b.many(c.value, number)),
    )


def _in_range(b: Binds, column: sa.ColumnElement[Any], start: bool, end: bool) -> sa.ColumnElement[bool]:
    bounds: list[sa.ColumnElement[bool]] = []
    if start:
        bounds.append(column >= b.like(column))
    if end:
        bounds.append(column < b.like(column))
    return sa.or_(column.is_(None), sa.and_(*bounds))


def select_by_patterns(criteria: Criteria, rows: Sequence[Sequence[Any]], *, references: bool) -> list[Sequence[Any]]:
    """The rows, read with their packed columns, that match every pattern filter.

    ``references``: the fragments were left out, which author patterns need.
    """
    first = len(STORED_COLUMNS[criteria.kind])
    names = (*(() if references else ("fragment",)), *_PACKED[criteria.kind])
    at = {name: first + index for index, name in enumerate(names)}

    def value(row: Sequence[Any], name: str) -> Any:
        index = at.get(name)
        return None if index is None else row[index]

    found = [
        row
        for row in rows
        if (not criteria.titles or matches(value(row, "title"), criteria.titles))
        and matches_each(value(row, "reference_ids"), criteria.reference_ids_like)
    ]
    if not has_author_patterns(criteria):
        return found
    return [row for row in found if _by_authors(criteria, value(row, "fragment"))]


def _by_authors(criteria: Criteria, fragment: bytes) -> bool:
    found = fragments.authors(fragment)
    persons, institutions = SEPARATOR.join(found.persons), SEPARATOR.join(found.institutions)
    return (
        (not criteria.author_persons or matches(persons, criteria.author_persons))
        and not matches(persons, criteria.author_persons_excluded)
        and (not criteria.author_institutions or matches(institutions, criteria.author_institutions))
    )
