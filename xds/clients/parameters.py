"""Stored query parameters as they are written (ITI TF-2, 3.18.4.1.2.3.5), from the rows of ``xds.vocab.queries``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from xds.datatypes.time import DTM
from xds.metadata.common import Code
from xds.metadata.requests import AdhocQuery
from xds.vocab.ebrim import Status
from xds.vocab.queries import STORED_QUERY_BY_NAME, Kind, Parameter, StoredQuery

# rim:Value is a LongName of 256 characters: longer lists are split over several values
MAX_VALUE: Final = 256

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def keyword(parameter: Parameter) -> str:
    """What a parameter is called in Python: ``$XDSDocumentEntryPatientId`` is ``document_entry_patient_id``."""
    return _WORD.sub("_", parameter.name.removeprefix("$").removeprefix("XDS")).lower()


def stored_query(name: str | StoredQuery) -> StoredQuery:
    """The row of a query, by its name in the Framework."""
    if isinstance(name, StoredQuery):
        return name
    found = STORED_QUERY_BY_NAME.get(name)
    if found is None:
        raise ValueError(f"{name} is none of the stored queries: {', '.join(STORED_QUERY_BY_NAME)}")
    return found


def adhoc_query(
    query: StoredQuery, arguments: Mapping[str, Any], *, return_type: str, home: str | None = None
) -> AdhocQuery:
    """The query with its arguments, by keyword or by the name on the wire.

    ``None`` and empty lists are left out. Raises TypeError for an argument the query does not have, ValueError for one
    that is missing and for a value that cannot be written.
    """
    known = {keyword(parameter): parameter for parameter in query.parameters}
    known |= query.by_name
    slots: list[tuple[str, tuple[str, ...]]] = []
    for name, value in arguments.items():
        if name not in known:
            raise TypeError(f"{query.name} has no parameter {name}; it has {', '.join(map(keyword, query.parameters))}")
        slots += _slots(known[name], value)
    _check(query, {name for name, _ in slots})
    return AdhocQuery(query.id, return_type, tuple(slots), home)


def _check(query: StoredQuery, given: set[str]) -> None:
    missing = [keyword(p) for p in query.parameters if p.required and p.name not in given]
    if missing:
        raise ValueError(f"{query.name} needs {', '.join(missing)}")
    if query.alternatives and len(given.intersection(query.alternatives)) != 1:
        names = (keyword(query.by_name[name]) for name in query.alternatives)
        raise ValueError(f"{query.name} needs exactly one of {', '.join(names)}")


def _slots(parameter: Parameter, value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The Slots of one argument: one, or with an AND of several lists one for each (ITI TF-2, 3.18.4.1.2.3.5)."""
    if value is None:
        return
    if parameter.repeats and isinstance(value, list | tuple) and any(isinstance(v, list | tuple | set) for v in value):
        for alternatives in value:
            yield from _slots(parameter, list(alternatives) if isinstance(alternatives, set) else alternatives)
        return
    write = _WRITERS[parameter.kind]
    if not parameter.many:
        yield parameter.name, (write(value),)
        return
    values = [write(v) for v in _several(value)]
    if values:
        yield parameter.name, tuple(_lists(values))


def _several(value: Any) -> Iterable[Any]:
    return (value,) if isinstance(value, str | Code | Status) or not isinstance(value, Iterable) else value


def _lists(values: list[str]) -> Iterator[str]:
    """Lists in parentheses, none longer than a rim:Value may be; several values of a Slot are an OR."""
    line = ""
    for value in values:
        if line and len(line) + len(value) + 3 > MAX_VALUE:
            yield f"({line})"
            line = ""
        line = f"{line},{value}" if line else value
    yield f"({line})"


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _status(value: Any) -> str:
    return _quoted(value.urn if isinstance(value, Status) else value)


def _code(value: Any) -> str:
    if isinstance(value, Code):
        return _quoted(f"{value.code}^^{value.scheme}")
    if not isinstance(value, str) or value.count("^^") != 1:
        raise ValueError("a code is a Code, or written code^^scheme")
    return _quoted(value)


def _time(value: Any) -> str:
    if isinstance(value, date):
        return str(DTM.of(value))
    return str(DTM.parse(str(value)))


def _number(value: Any) -> str:
    return str(int(value))


_WRITERS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    Kind.PATIENT_ID: _quoted,
    Kind.STATUS: _status,
    Kind.CODE: _code,
    Kind.TEXT: _quoted,
    Kind.UUID: _quoted,
    Kind.PATTERN: _quoted,
    Kind.TIME_FROM: _time,
    Kind.TIME_TO: _time,
    Kind.NUMBER: _number,
}
