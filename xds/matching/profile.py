"""Profiles: what a matcher compares, what it weighs, and what its rules are, as a versioned TOML file.

``cn`` and ``generic`` are shipped; an operator's own is a copy of one with changes. A profile is checked when it is
loaded: everything wrong in it is said at once, each with its line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from xds.datatypes.hl7 import HD
from xds.errors import XdsError
from xds.matching.comparators import COMPARATORS, MISSING, Comparator
from xds.matching.keys import PARTS
from xds.matching.people import folded_name
from xds.matching.reading import Placeholders
from xds.patients.domains import Domain

FORMAT: Final = 1
SHIPPED: Final = ("cn", "generic")
#: ``apart``: never one person. ``conflict``: at best for people to decide, and so is whoever else is one with either.
#: ``review``: at best for people to decide, unless another registration joins them. ``link``: needs no more bits.
RULINGS: Final = ("apart", "conflict", "review", "link")
_TOP: Final = frozenset(
    ("format", "name", "version", "prior", "thresholds", "field", "key", "rule", "placeholders", "frequency", "trust")
)


class ProfileError(XdsError):
    """A profile cannot be used; one line per finding, each with its place."""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field, how it is compared, and what its levels weigh, in bits."""

    name: str
    comparator: Comparator
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """Holds for a pair when the level of each of these fields is one of those named."""

    name: str
    ruling: str
    when: tuple[tuple[str, frozenset[str]], ...]

    def holds(self, levels: Mapping[str, str]) -> bool:
        return all(levels[name] in wanted for name, wanted in self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A checked profile. ``prior`` are the bits of a candidate of whom nothing is known."""

    name: str
    version: str
    prior: float
    link: float
    review: float
    margin: float
    fields: tuple[FieldRow, ...]
    keys: tuple[tuple[str, tuple[str, ...]], ...]
    rules: tuple[Rule, ...]
    placeholders: Placeholders = field(default_factory=Placeholders)
    common_names: frozenset[str] = frozenset()
    trusted: tuple[str, ...] = ()
    in_pid_19: str = ""
    source: str = field(default="", compare=False)  # its text

    def domains(self) -> list[Domain]:
        """The identifier domains that the profile trusts; what is a slip in their identifiers it sees itself."""
        return [Domain(authority=HD.oid(oid), trusted=True, in_pid_19=oid == self.in_pid_19) for oid in self.trusted]


def load_profile(name: str | Path) -> Profile:
    """The profile with this name, or in this file."""
    if isinstance(name, str) and name in SHIPPED:
        text = resources.files("xds.matching").joinpath("profiles", f"{name}.toml").read_text("utf-8")
        return parse_profile(text, f"{name}.toml")
    path = Path(name)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(SHIPPED)
        raise ProfileError(f"{path}: no profile that can be read; shipped ones are {shipped}") from error
    return parse_profile(text, path.name)


def parse_profile(text: str, file: str = "profile") -> Profile:
    """The profile that this text is. Raises ProfileError with everything that is wrong in it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{file}: {error}") from None
    return _Loader(text, table, file).profile()


class _Loader:
    def __init__(self, text: str, table: dict[str, Any], file: str) -> None:
        self._lines = text.splitlines()
        self._text = text
        self._table = table
        self._file = file
        self._wrong: list[tuple[int, str]] = []

    def profile(self) -> Profile:
        table = self._table
        for key in table.keys() - _TOP:
            self._report(self._line((), key), f"{key}: unknown")
        if table.get("format") != FORMAT:
            self._report(self._line((), "format"), f"format: this version reads format {FORMAT}")
        fields = tuple(self._fields())
        thresholds = self._section("thresholds", ("link", "review", "margin"))
        link, review = (self._bits(thresholds, ("thresholds",), key) for key in ("link", "review"))
        if review > link:
            self._report(self._line(("thresholds",), "review"), "thresholds.review: above thresholds.link")
        frequency = self._section("frequency", ("names",))
        trust = self._section("trust", ("domains", "in_pid_19"))
        for key in ("name", "version"):
            if not f"_{table.get(key)}".isidentifier():
                self._report(self._line((), key), f"{key}: letters, digits and _, for the history")
        found = Profile(
            name=self._text_of(table, (), "name"),
            version=self._text_of(table, (), "version"),
            prior=self._bits(table, (), "prior"),
            link=link,
            review=review,
            margin=self._bits(thresholds, ("thresholds",), "margin"),
            fields=fields,
            keys=tuple(self._keys()),
            rules=tuple(self._rules({row.name: row for row in fields})),
            placeholders=self._placeholders(),
            common_names=frozenset(map(folded_name, self._texts(frequency, ("frequency",), "names"))),
            trusted=tuple(self._texts(trust, ("trust",), "domains")),
            in_pid_19=str(trust.get("in_pid_19", "")),
            source=self._text,
        )
        if self._wrong:
            raise ProfileError("\n".join(f"{self._file}:{line}: {what}" for line, what in sorted(self._wrong)))
        return found

    # ----------------------------------------------------------------- parts

    def _fields(self) -> Iterable[FieldRow]:
        seen: set[str] = set()
        for number, row in enumerate(self._rows("field")):
            at = ("field", number)
            name = self._text_of(row, at, "name")
            if name in seen:
                self._report(self._line(at, "name"), f"field {name}: stands here twice")
            seen.add(name)
            comparator = COMPARATORS.get(str(row.get("comparator")))
            if comparator is None:
                known = ", ".join(sorted(COMPARATORS))
                self._report(self._line(at, "comparator"), f"field {name}: comparator is one of {known}")
                continue
            weights = row.get("weights", {})
            for level in weights.keys() - set(comparator.levels):
                self._report(
                    self._line(at, level), f"field {name}: level {level} is none of {', '.join(comparator.levels)}"
                )
            given = {level: self._bits(weights, at, level) for level in comparator.levels}
            yield FieldRow(name, comparator, given | {MISSING: 0.0})

    def _keys(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        for number, row in enumerate(self._rows("key")):
            at = ("key", number)
            name = self._text_of(row, at, "name")
            parts = self._texts(row, at, "parts")
            for part in parts:
                if part not in PARTS:
                    self._report(self._line(at, "parts"), f"key {name}: {part} is none of {', '.join(sorted(PARTS))}")
            if not parts:
                self._report(self._line(at, "parts"), f"key {name}: has no parts")
            yield name, tuple(parts)

    def _rules(self, fields: Mapping[str, FieldRow]) -> Iterable[Rule]:
        for number, row in enumerate(self._rows("rule")):
            at = ("rule", number)
            name = self._text_of(row, at, "name")
            ruling = str(row.get("ruling"))
            if ruling not in RULINGS:
                self._report(self._line(at, "ruling"), f"rule {name}: ruling is one of {', '.join(RULINGS)}")
            when = row.get("when")
            if not isinstance(when, dict) or not when:
                self._report(self._line(at, "when"), f"rule {name}: says when it holds")
                continue
            conditions = []
            for key, levels in when.items():
                line = self._line(at, key)
                if key not in fields:
                    self._report(line, f"rule {name}: there is no field {key}")
                    continue
                known = (*fields[key].comparator.levels, MISSING)
                if not isinstance(levels, list):
                    self._report(line, f"rule {name}: {key} is a list of levels")
                    continue
                for level in levels:
                    if level not in known:
                        self._report(line, f"rule {name}: {key} has no level {level}; {', '.join(known)}")
                conditions.append((key, frozenset(map(str, levels))))
            yield Rule(name, ruling, tuple(conditions))

    def _placeholders(self) -> Placeholders:
        kinds = ("names", "phones", "ids", "births")
        section = self._section("placeholders", kinds)
        names, phones, ids, births = (self._texts(section, ("placeholders",), kind) for kind in kinds)
        return Placeholders(
            frozenset(map(folded_name, names)), frozenset(phones), frozenset(map(str.upper, ids)), frozenset(births)
        )

    # ----------------------------------------------------------------- values

    def _section(self, name: str, known: tuple[str, ...]) -> dict[str, Any]:
        section = self._table.get(name, {})
        if not isinstance(section, dict):
            self._report(self._line((), name), f"{name}: a table")
            return {}
        for key in section.keys() - set(known):
            self._report(self._line((name,), key), f"{name}.{key}: unknown; {', '.join(known)}")
        return section

    def _rows(self, name: str) -> list[dict[str, Any]]:
        rows = self._table.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._report(self._line((), name), f"{name}: written as [[{name}]]")
            return []
        return rows

    def _text_of(self, table: Mapping[str, Any], at: tuple[str | int, ...], key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            self._report(self._line(at, key), f"{_path(at, key)}: a text is missing")
            return ""
        return value

    def _texts(self, table: Mapping[str, Any], at: tuple[str | int, ...], key: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._report(self._line(at, key), f"{_path(at, key)}: a list of texts")
            return []
        return value

    def _bits(self, table: Mapping[str, Any], at: tuple[str | int, ...], key: str) -> float:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -100 <= value <= 100:
            self._report(self._line(at, key), f"{_path(at, key)}: a number of bits from -100 to 100")
            return 0.0
        return float(value)

    # ----------------------------------------------------------------- places

    def _report(self, line: int, what: str) -> None:
        self._wrong.append((line, what))

    def _line(self, at: tuple[str | int, ...], key: str) -> int:
        """The line of ``key`` in a table; that of the table when it does not stand there."""
        start, seen = 0, -1
        if at:
            header = re.compile(rf"\s*\[\[?\s*{re.escape(str(at[0]))}\s*\]\]?\s*(#.*)?$")
            for number, line in enumerate(self._lines):
                if header.match(line):
                    seen += 1
                    if len(at) == 1 or seen == at[1]:
                        start = number
                        break
        wanted = re.compile(rf"(.*[{{,\s.])?[\"']?{re.escape(key)}[\"']?\s*=")
        other = re.compile(r"\s*\[\[?\s*(\w+)")
        for number in range(start if at else 0, len(self._lines)):
            line = self._lines[number]
            if number > start and (found := other.match(line)) and (not at or found[1] != at[0] or "[[" in line):
                break
            if wanted.match(line):
                return number + 1
        if not at:
            table = re.compile(rf"\s*\[\[?\s*{re.escape(key)}\b")
            return next((n for n, line in enumerate(self._lines, 1) if table.match(line)), 1)
        return start + 1


def _path(at: tuple[str | int, ...], key: str) -> str:
    if not at:
        return key
    return f"{at[0]}.{key}" if len(at) == 1 else f"{at[0]} {int(at[1]) + 1}: {key}"
