"""Learning a profile's weights from an operator's own registrations, without anybody labelling pairs.

Two registrations with the same valid number are one person's, with two different ones they are two people's. On the
pairs of candidates that both have one, logistic regression learns what the other fields weigh; they stay additive, so
that a clerk can add them up. What the number itself weighs cannot be learned from it and stays as the profile has it.
Nothing else is used as truth; calibration is measured on pairs kept aside.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Final

from xds.matching.comparators import MISSING, compare_numbers
from xds.matching.matcher import ProfileMatcher
from xds.matching.profile import Profile
from xds.matching.reading import Reading, is_own
from xds.matching.resident import ResidentNumber
from xds.patients.matching import Member

Pattern = tuple[tuple[str, str], ...]  # field and level, without what is missing
_BIT: Final = math.log(2)
_BLOCK: Final = 60  # registrations with one key; what more share is compared with the next few
_ASIDE: Final = 5  # one pair in so many measures calibration


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs kept aside whose bits are about as many: how many are one person's, foretold and in truth."""

    bits: float
    pairs: int
    foretold: float
    observed: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned. ``counts`` are pairs with each level, of one person and of two."""

    prior: float
    weights: dict[str, dict[str, float]]
    counts: dict[tuple[str, str], tuple[int, int]]
    same: int
    different: int
    calibration: tuple[Bin, ...]

    def report(self) -> str:
        """Weights and calibration as text."""
        lines = [f"{self.same} pairs of one person, {self.different} of two; prior {self.prior:.2f} bits"]
        for field, weights in self.weights.items():
            for level, bits in weights.items():
                ours, others = self.counts.get((field, level), (0, 0))
                lines.append(f"  {field:14} {level:22} {bits:7.2f} bits  {ours:8} of one  {others:8} of two")
        lines.append("calibration, on pairs kept aside:")
        for bin in self.calibration:
            lines.append(
                f"  about {bin.bits:5.1f} bits  {bin.pairs:7} pairs"
                f"  foretold {bin.foretold:.4f}  observed {bin.observed:.4f}"
            )
        return "\n".join(lines)


def learn(profile: Profile, members: Iterable[Member], *, ridge: float = 0.5, rounds: int = 30) -> Learned:
    """Weights for ``profile`` from these registrations."""
    matcher = ProfileMatcher(profile)
    numbers = {row.name for row in profile.fields if row.comparator.label}
    known: Counter[tuple[Pattern, bool]] = Counter()
    aside: Counter[tuple[Pattern, bool]] = Counter()
    for place, (levels, one) in enumerate(_labelled(matcher, list(members))):
        pattern = tuple((f, level) for f, level in levels.items() if level != MISSING and f not in numbers)
        (known if place % _ASIDE else aside)[pattern, one] += 1
    rows = [(pattern, one, count) for (pattern, one), count in sorted(known.items())]
    intercept, learned = regress(rows, ridge=ridge, rounds=rounds)
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for pattern, one, count in rows:
        for term in pattern:
            counts[term][0 if one else 1] += count
    same = sum(count for _, one, count in rows if one)
    return Learned(
        intercept / _BIT,
        {
            row.name: {level: learned.get((row.name, level), 0.0) / _BIT for level in row.comparator.levels}
            for row in profile.fields
            if row.name not in numbers
        },
        {term: (a, b) for term, (a, b) in counts.items()},
        same,
        sum(count for _, _, count in rows) - same,
        tuple(_calibration(aside, intercept, learned)),
    )


def _labelled(matcher: ProfileMatcher, members: Sequence[Member]) -> Iterator[tuple[Mapping[str, str], bool]]:
    """The levels of candidates whose numbers say whether they are one person, and what they say.

    The levels are those of the registrations without their numbers: birth date and sex inside would repeat the label.
    """
    blocks: dict[str, list[int]] = defaultdict(list)
    labels: list[tuple[ResidentNumber | None, frozenset[str]]] = []
    bare: list[Reading] = []
    for place, member in enumerate(members):
        reading = matcher.read(member)
        label = _own_number(reading, member), reading.numbers
        labels.append(label)
        bare.append(matcher.read(_without_numbers(member)))
        if any(label):
            for term in matcher.terms(member):
                blocks[term].append(place)
    seen: set[tuple[int, int]] = set()
    for block in blocks.values():
        near = combinations(block, 2) if len(block) <= _BLOCK else pairwise(block)
        seen.update(near)
    for a, b in sorted(seen):
        one = _say_one(labels[a], labels[b])
        if one is not None:
            yield matcher.compare(bare[a], bare[b]).levels, one


def _own_number(reading: Reading, member: Member) -> ResidentNumber | None:
    """A valid number with the bearer's birth date, but for a slip; whether the sex fits is learned."""
    number, told = reading.resident, member.demographics
    if number is None or not number.valid:
        return None
    birth = told.birth_time[:8] if told.birth_date is not None else ""
    return number if is_own(number, birth, "" if birth == number.birth else reading.sex) else None


def _say_one(
    a: tuple[ResidentNumber | None, frozenset[str]], b: tuple[ResidentNumber | None, frozenset[str]]
) -> bool | None:
    if a[0] is not None and b[0] is not None:
        return a[0].core == b[0].core
    if a[1] and b[1]:
        level = compare_numbers(a[1], b[1])
        return level == "same" if level in ("same", "different") else None
    return None


def _without_numbers(member: Member) -> Member:
    return replace(member, quoted=frozenset(), demographics=replace(member.demographics, ssn=""))


# --------------------------------------------------------------------------- regression


def regress(
    rows: Sequence[tuple[Pattern, bool, int]], *, ridge: float, rounds: int
) -> tuple[float, dict[tuple[str, str], float]]:
    """Logistic regression by Newton's method, in natural units: intercept and the weight of each (field, level)."""
    terms = sorted({term for pattern, _, _ in rows for term in pattern})
    place = {term: i + 1 for i, term in enumerate(terms)}
    size = len(terms) + 1
    beta = [0.0] * size
    coded = [((0, *(place[term] for term in pattern)), one, count) for pattern, one, count in rows]
    for _ in range(rounds):
        gradient = [0.0] + [-ridge * b for b in beta[1:]]
        hessian = [[0.0] * size for _ in range(size)]
        for i in range(size):
            hessian[i][i] = ridge if i else 1e-9
        for active, one, count in coded:
            p = _logistic(sum(beta[i] for i in active))
            slope, curve = count * ((1.0 if one else 0.0) - p), count * p * (1 - p)
            for i in active:
                gradient[i] += slope
                row = hessian[i]
                for j in active:
                    row[j] += curve
        step = _solve(hessian, gradient)
        largest = max(map(abs, step))
        scale = min(1.0, 4.0 / largest) if largest else 1.0
        beta = [b + scale * s for b, s in zip(beta, step, strict=True)]
        if largest < 1e-6:
            break
    return beta[0], {term: beta[i] for term, i in place.items()}


def _solve(matrix: list[list[float]], vector: list[float]) -> list[float]:
    """Gauss with pivots."""
    size = len(vector)
    rows = [[*row, value] for row, value in zip(matrix, vector, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        top = rows[i]
        if abs(top[i]) < 1e-12:
            continue
        for r in range(i + 1, size):
            factor = rows[r][i] / top[i]
            if factor:
                row = rows[r]
                for c in range(i, size + 1):
                    row[c] -= factor * top[c]
    found = [0.0] * size
    for i in reversed(range(size)):
        rest = rows[i][size] - sum(rows[i][c] * found[c] for c in range(i + 1, size))
        found[i] = rest / rows[i][i] if abs(rows[i][i]) >= 1e-12 else 0.0
    return found


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


def _calibration(
    aside: Mapping[tuple[Pattern, bool], int], intercept: float, learned: Mapping[tuple[str, str], float]
) -> Iterator[Bin]:
    bins: dict[int, list[float]] = defaultdict(lambda: [0, 0.0, 0, 0.0])
    for (pattern, one), count in aside.items():
        x = intercept + sum(learned.get(term, 0.0) for term in pattern)
        bin = bins[max(-10, min(10, math.floor(x / _BIT / 2)))]
        bin[0] += count
        bin[1] += count * _logistic(x)
        bin[2] += count * one
        bin[3] += count * x / _BIT
    for _, (pairs, foretold, ones, bits) in sorted(bins.items()):
        yield Bin(bits / pairs, int(pairs), foretold / pairs, ones / pairs)


# --------------------------------------------------------------------------- writing


def rewritten(profile: Profile, learned: Learned, version: str) -> str:
    """The text of ``profile`` with these weights, and everything else, comments too, as it was."""
    out: list[str] = []
    field: str | None = None
    inside = ""
    for line in profile.source.splitlines():
        if header := re.match(r"\s*\[+\s*([\w.]+)\s*\]+", line):
            inside = header[1]
            if inside == "field":
                field = None
        elif inside == "field" and (found := re.match(r'\s*name\s*=\s*"([^"]+)"', line)):
            field = found[1]
        elif not inside and re.match(r"\s*prior\s*=", line):
            line = f"prior = {learned.prior:.2f}"
        elif not inside and re.match(r"\s*version\s*=", line):
            line = f'version = "{version}"'
        if field is not None and inside.startswith("field"):
            for level, bits in learned.weights.get(field, {}).items():
                line = re.sub(rf"(?<![\w]){re.escape(level)}\s*=\s*-?[\d.]+", f"{level} = {bits:.2f}", line)
        out.append(line)
    return "\n".join(out) + "\n"
