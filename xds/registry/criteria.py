"""Turns the arguments of a Find query into ``ports.Criteria`` (ITI TF-2, 3.18.4.1.2.3.7.1 to .3 and .14)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from xds.datatypes.time import dtm_number
from xds.ports import Criteria, PatientKey, TimeRange
from xds.registry.parameters import Arguments, Groups
from xds.vocab.ebrim import DocumentEntryType, ObjectKind, Status
from xds.vocab.queries import DOCUMENT_ENTRY_TYPE, Kind, Parameter

_ALL_ENTRY_TYPES: Final = tuple(DocumentEntryType)
# The text calls both ends of a range inclusive, its formula leaves the upper one out. This time is the registry's own,
# in whole seconds: who asks "up to now" in the second of a change must see the change.
_INCLUSIVE: Final = frozenset(("last_update_time",))


def criteria_for(
    kind: ObjectKind, arguments: Arguments, patients: tuple[PatientKey, ...], statuses: tuple[Status, ...]
) -> Criteria:
    """The criteria for objects of one kind of these patients, from every filter that was given."""
    filters = _Filters()
    for name, groups in arguments.groups.items():
        parameter = arguments.query.by_name[name]
        if parameter.filters and parameter.filters != "object_type":
            filters.add(parameter, groups)
    return Criteria(
        kind=kind,
        patients=patients,
        statuses=statuses,
        object_types=entry_types(arguments) if kind is ObjectKind.DOCUMENT_ENTRY else (),
        one_of=filters.one_of,
        none_of=filters.none_of,
        codes=tuple(filters.codes),
        codes_excluded=tuple(filters.codes_excluded),
        times=tuple(TimeRange(attribute, *bounds) for attribute, bounds in filters.times.items()),
        author_persons=filters.patterns.get("author_persons", ()),
        author_persons_excluded=filters.patterns.get("author_persons_excluded", ()),
        author_institutions=filters.patterns.get("author_institutions", ()),
        titles=filters.patterns.get("titles", ()),
        reference_ids_like=tuple(filters.reference_ids_like),
    )


def entry_types(arguments: Arguments) -> tuple[str, ...]:
    """The DocumentEntry types a query reads: Stable ones when it does not say (ITI TF-2, 3.18.4.1.2.3.6.3)."""
    excluded = arguments.many(f"{DOCUMENT_ENTRY_TYPE}Exclude")
    if excluded:
        return tuple(kind for kind in _ALL_ENTRY_TYPES if kind not in excluded) or ("",)
    return arguments.many(DOCUMENT_ENTRY_TYPE) or (DocumentEntryType.STABLE,)


class _Filters:
    """Gathers the fields of a Criteria, parameter by parameter."""

    def __init__(self) -> None:
        self.one_of: dict[str, tuple[str, ...]] = {}
        self.none_of: dict[str, tuple[str, ...]] = {}
        self.codes: list[tuple[str, tuple[str, ...]]] = []
        self.codes_excluded: list[tuple[str, tuple[str, ...]]] = []
        self.times: dict[str, list[int | None]] = {}
        self.patterns: dict[str, tuple[str, ...]] = {}
        self.reference_ids_like: list[tuple[str, ...]] = []

    def add(self, parameter: Parameter, groups: Groups) -> None:
        kind, attribute = parameter.kind, parameter.filters
        if kind is Kind.TIME_FROM or kind is Kind.TIME_TO:
            # From <= value < To (ITI TF-2, 3.18.4.1.2.3.4); lower precision is padded with the lowest digits
            bound = dtm_number(groups[0][0])
            if bound is not None and kind is Kind.TIME_TO and attribute in _INCLUSIVE:
                bound += 1
            self.times.setdefault(attribute, [None, None])[kind is Kind.TIME_TO] = bound
        elif attribute == "reference_id":
            self._add_reference_ids(groups, excludes=parameter.excludes)
        elif kind is Kind.PATTERN:
            self.patterns[f"{attribute}_excluded" if parameter.excludes else attribute] = groups[0]
        elif parameter.repeats:
            (self.codes_excluded if parameter.excludes else self.codes).extend(_each(attribute, groups))
        elif parameter.excludes:
            self.none_of[attribute] = groups[0]
        else:
            self.one_of[attribute] = groups[0]

    def _add_reference_ids(self, groups: Groups, *, excludes: bool) -> None:
        # the prose compares exactly, a footnote speaks of LIKE: a pattern only where one was written
        if excludes:
            self.codes_excluded.extend(_each("reference_id", groups))
            return
        for group in groups:
            if any("%" in value or "_" in value for value in group):
                self.reference_ids_like.append(group)
            else:
                self.codes.append(("reference_id", group))


def _each(attribute: str, groups: Groups) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((attribute, group) for group in groups)
