"""Reads the parameters of a stored query (ITI TF-2, 3.18.4.1.2.3.5 to 3.18.4.1.2.3.7) by its row in ``vocab.queries``.

The grammar: strings in single quotes, a quote inside written twice; lists in parentheses; numbers bare. A list may be
split over several Values (an OR), a Slot that may repeat is an AND. Unknown parameters are ignored; everything that is
wrong is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from xds.datatypes.time import dtm_number
from xds.errors import RegistryError, RequestRejected
from xds.metadata.requests import AdhocQuery, ReturnType
from xds.vocab.ebrim import STATUS_BY_URN, Status
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import STORED_QUERY_BY_ID, Kind, Parameter, StoredQuery

# Possessive quantifiers: a long hostile value is read once, never re-read
_STRING: Final = re.compile(r"\s*'((?:[^']|'')*+)'\s*")
_ITEM: Final = re.compile(r"'((?:[^']|'')*+)'")
_LIST: Final = re.compile(r"\s*\(\s*(?:'(?:[^']|'')*+'\s*(?:,\s*'(?:[^']|'')*+'\s*)*)?\)\s*")
_DOUBLE_STRING: Final = re.compile(r'\s*"([^"]*)"\s*')
_DOUBLE_ITEM: Final = re.compile(r'"([^"]*)"')
_DOUBLE_LIST: Final = re.compile(r'\s*\(\s*"[^"]*"\s*(?:,\s*"[^"]*"\s*)*\)\s*')
_CODE: Final = re.compile(r"[^^]+\^\^[^^]+")
_BARE_KINDS: Final = frozenset((Kind.TIME_FROM, Kind.TIME_TO, Kind.NUMBER))
_CONTEXT_LENGTH: Final = 200  # characters of a wrong value that are given back

#: What a request did that the grammar does not allow and that is understood all the same, for the caller's counters.
UNQUOTED_PATIENT_ID: Final = "patient id without quotes"
DOUBLE_QUOTES: Final = "double quotes"
UNKNOWN_STATUS: Final = "unknown status dropped"  # ITI TF-2, 3.18.4.1.2.3.6.2
LIST_FOR_SINGLE: Final = "list for a single value"

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one query: by parameter name, per Slot, the values of that Slot. None of them is empty."""

    query: StoredQuery
    groups: dict[str, Groups]

    def one(self, name: str) -> str:
        """The value of a required single parameter."""
        return self.groups[name][0][0]

    def get(self, name: str) -> str | None:
        """The value of an optional single parameter."""
        groups = self.groups.get(name)
        return groups[0][0] if groups else None

    def many(self, name: str) -> tuple[str, ...]:
        """The values of a list parameter; empty when it was not given."""
        groups = self.groups.get(name)
        return groups[0] if groups else ()

    def statuses(self, name: str) -> tuple[Status, ...]:
        """The values of a status parameter."""
        return tuple(STATUS_BY_URN[urn] for urn in self.many(name))


class _Malformed(Exception):
    def __init__(self, problem: str, code: ErrorCode = ErrorCode.REGISTRY_ERROR) -> None:
        super().__init__(problem)
        self.problem = problem
        self.code = code


def stored_query(query: AdhocQuery) -> StoredQuery:
    """The row of the query that was asked for; XDSUnknownStoredQuery, XDSRegistryError for a foreign returnType."""
    row = STORED_QUERY_BY_ID.get(query.query_id) or STORED_QUERY_BY_ID.get(query.query_id.strip().lower())
    if row is None:
        raise RequestRejected(
            ErrorCode.UNKNOWN_STORED_QUERY, context=f"no stored query {query.query_id[:_CONTEXT_LENGTH]}"
        )
    if query.return_type not in (ReturnType.LEAF_CLASS, ReturnType.OBJECT_REF):
        # ITI TF-2, 3.18.4.1.2.3.1: LeafClass and ObjectRef are the two there are; the schema's default is neither
        raise RequestRejected(
            ErrorCode.REGISTRY_ERROR, context="returnType is LeafClass or ObjectRef", location="ResponseOption"
        )
    return row


def read_arguments(query: AdhocQuery, row: StoredQuery, notes: list[str] | None = None) -> Arguments:
    """The arguments of ``query``, checked; RequestRejected with every finding.

    ``notes`` collects what was tolerated.
    """
    errors: list[RegistryError] = []
    slots: dict[str, list[tuple[str, ...]]] = {}
    tolerated: list[str] = [] if notes is None else notes
    for name, texts in query.parameters:
        parameter = row.by_name.get(name)
        if parameter is None:
            continue  # 3.18.4.1.2.3.5: unknown parameters are ignored
        try:
            values = _read(parameter, texts, tolerated)
        except _Malformed as malformed:
            errors.append(RegistryError(malformed.code, f"{name}: {malformed.problem}", name))
            slots.setdefault(name, [("",)])  # it was given: not missing as well
        else:
            if values:
                slots.setdefault(name, []).append(values)
    errors.extend(_findings(row, slots))
    if errors:
        raise RequestRejected.of(errors)
    return Arguments(row, {name: tuple(groups) for name, groups in slots.items()})


def _findings(row: StoredQuery, slots: dict[str, list[tuple[str, ...]]]) -> Iterator[RegistryError]:
    """What is wrong with the parameters taken together."""
    for parameter in row.parameters:
        if parameter.required and parameter.name not in slots:
            yield RegistryError(
                ErrorCode.STORED_QUERY_MISSING_PARAM, f"{row.name} needs {parameter.name}", parameter.name
            )
    for name, groups in slots.items():
        if len(groups) > 1 and not row.by_name[name].repeats:
            yield RegistryError(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"{name} stands more than once", name)
        if row.by_name[name].excludes and name.removesuffix("Exclude") in slots:
            yield RegistryError(
                ErrorCode.STORED_QUERY_PARAM_NUMBER,
                f"{name.removesuffix('Exclude')} and {name} exclude each other",
                name,
            )
    if row.alternatives:
        given = [name for name in row.alternatives if name in slots]
        if not given:
            names = ", ".join(row.alternatives)
            yield RegistryError(ErrorCode.STORED_QUERY_MISSING_PARAM, f"{row.name} needs one of {names}")
        elif len(given) > 1:
            yield RegistryError(ErrorCode.STORED_QUERY_PARAM_NUMBER, f"only one of {', '.join(given)} is allowed")


def _read(parameter: Parameter, texts: tuple[str, ...], notes: list[str]) -> tuple[str, ...]:
    """The values of one Slot, unquoted and checked; empty when it holds none, or only unknown statuses."""
    if parameter.many:
        values = [value for text in texts for value in _list(text, notes)]
    elif not texts:
        return ()
    elif len(texts) > 1:
        raise _Malformed("one value is allowed", ErrorCode.STORED_QUERY_PARAM_NUMBER)
    else:
        values = [_single(parameter, texts[0], notes)]
    checked = _checked(parameter.kind, values)
    if parameter.kind is Kind.STATUS and len(checked) < len(values):
        notes.append(UNKNOWN_STATUS)
    return checked


def _list(text: str, notes: list[str]) -> list[str]:
    if _LIST.fullmatch(text):
        items = _ITEM.findall(text)
        return [item.replace("''", "'") for item in items] if "''" in text else items
    if _DOUBLE_LIST.fullmatch(text):
        notes.append(DOUBLE_QUOTES)
        return _DOUBLE_ITEM.findall(text)
    raise _Malformed(f"a list is ('a','b'), also of one value: {text[:_CONTEXT_LENGTH]}")


def _single(parameter: Parameter, text: str, notes: list[str]) -> str:
    if match := _STRING.fullmatch(text):
        return match[1].replace("''", "'")
    if parameter.kind in _BARE_KINDS and text.strip().isdigit():
        return text.strip()
    if match := _DOUBLE_STRING.fullmatch(text):
        notes.append(DOUBLE_QUOTES)
        return match[1]
    if text.lstrip().startswith("("):
        values = _list(text, notes)
        if len(values) != 1:
            raise _Malformed("one value is allowed", ErrorCode.STORED_QUERY_PARAM_NUMBER)
        notes.append(LIST_FOR_SINGLE)
        return values[0]
    if parameter.kind is Kind.PATIENT_ID and "^^^&" in text and "'" not in text and '"' not in text:
        notes.append(UNQUOTED_PATIENT_ID)  # published examples have it
        return text.strip()
    raise _Malformed(f"a string stands in single quotes: {text[:_CONTEXT_LENGTH]}")


def _checked(kind: Kind, values: list[str]) -> tuple[str, ...]:
    if kind is Kind.STATUS:
        # 3.18.4.1.2.3.6.2: unknown values are dropped
        return tuple(value for value in values if value in STATUS_BY_URN)
    if kind is Kind.UUID:
        return tuple(value.strip().lower() for value in values)
    if kind is Kind.CODE:
        for value in values:
            if not _CODE.fullmatch(value):
                raise _Malformed(f"a code is code^^scheme: {value[:_CONTEXT_LENGTH]}")
    elif kind is Kind.TIME_FROM or kind is Kind.TIME_TO:
        for value in values:
            if dtm_number(value) is None:
                raise _Malformed(f"a time is YYYY[MM[DD[hh[mm[ss]]]]]: {value[:_CONTEXT_LENGTH]}")
    elif kind is Kind.NUMBER:
        for value in values:
            if not (value.isascii() and value.isdigit()):
                raise _Malformed(f"a number is digits: {value[:_CONTEXT_LENGTH]}")
    elif kind is Kind.PATIENT_ID and "" in values:
        return ()
    return tuple(values)
