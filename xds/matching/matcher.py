"""The matcher of a profile: candidates by keys, pairs by weights and rules, people by all their members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from xds.matching.comparators import COMPARATORS
from xds.matching.keys import key_terms
from xds.matching.profile import Profile, parse_profile
from xds.matching.reading import Reading, read
from xds.patients.demographics import Demographics
from xds.patients.matching import Decision, Member, Verdict

_READINGS: Final = 2_000  # that are kept: what was just read to find candidates is read again to compare them


class Comparison(NamedTuple):
    """What two registrations have in common: each field's level and bits, the sum, and the rules that hold."""

    levels: dict[str, str]
    bits: dict[str, float]
    total: float
    rules: tuple[tuple[str, str], ...]  # name and ruling, in the order of the profile
    decision: Decision
    apart: bool = False

    @property
    def against(self) -> str:
        """The rule by which they are apart."""
        return next((name for name, ruling in self.rules if ruling in _APART), "")


class ProfileMatcher:
    """A ``Matcher`` that does what a profile says. Picklable; it remembers how it read the last registrations."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        comparators = {row.comparator for row in profile.fields}
        homes = COMPARATORS["home"] in comparators or any("door" in parts for _, parts in profile.keys)
        self._wanted = frozenset((*(["home"] if homes else []), *(["parts"] if comparators & _IN_PARTS else [])))
        self._readings: dict[tuple[Demographics, frozenset[str]], Reading] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _remembered, (self.profile.source,)

    @property
    def name(self) -> str:
        return f"{self.profile.name}_{self.profile.version}"

    only_quoted: Final = False

    # ----------------------------------------------------------------- the port

    def terms(self, member: Member) -> Iterable[str]:
        reading = self.read(member)
        if reading.terms is None:
            reading.terms = frozenset(key_terms(self.profile.keys, reading))
        return reading.terms

    def judge(self, member: Member, person: tuple[Member, ...]) -> Verdict:
        mine = self.read(member)
        compared = [self.compare(mine, self.read(other)) for other in person]
        best = max(range(len(compared)), key=lambda i: (_RANK[compared[i].decision], compared[i].total))
        found, witness = compared[best], person[best].key
        if found.decision is Decision.NONE:
            return Verdict(Decision.NONE)
        if found.decision is Decision.LINK and any(other.apart for other in compared):
            because = next(other.against for other in compared if other.apart)
            reason = f"{self._reason(found)}; another registration: {because}"
            return Verdict(Decision.REVIEW, reason, witness, found.total)
        weak = found.total < self.profile.link + self.profile.margin
        if found.decision is Decision.LINK and weak and any(other.total < self.profile.review for other in compared):
            reason = f"{self._reason(found)}; another registration of the person does not fit"
            return Verdict(Decision.REVIEW, reason, witness, found.total)
        return Verdict(found.decision, self._reason(found), witness, found.total)

    def among(self, verdicts: Sequence[tuple[Verdict, tuple[Member, ...]]], own: tuple[Member, ...]) -> list[Verdict]:
        """Where several people would be linked: those that can be one are; of others the best if it is by far."""
        order = sorted(range(len(verdicts)), key=lambda i: -verdicts[i][0].bits)
        final = [verdict for verdict, _ in verdicts]
        taken: list[int] = []
        for i in order:
            if verdicts[i][0].decision is not Decision.LINK:
                continue
            if any(self.compare(self.read(a), self.read(b)).apart for a in own for b in verdicts[i][1]):
                final[i] = _doubted(final[i], "another registration of the person speaks against it")
                continue
            against = [j for j in taken if not self._may_be_one(verdicts[i][1], verdicts[j][1])]
            if not against:
                taken.append(i)
                continue
            final[i] = _doubted(final[i], "somebody else is as likely")
            for j in against:
                if verdicts[j][0].bits - verdicts[i][0].bits < self.profile.margin:
                    final[j] = _doubted(final[j], "somebody else is as likely")
        return final

    def _may_be_one(self, one: tuple[Member, ...], other: tuple[Member, ...]) -> bool:
        pairs = [self.compare(self.read(a), self.read(b)) for a in one for b in other]
        best = max(pair.total for pair in pairs)
        return not any(pair.apart for pair in pairs) and best >= self.profile.review

    # ----------------------------------------------------------------- pairs

    def read(self, member: Member) -> Reading:
        """``member`` as the profile reads it."""
        known = (member.demographics, member.quoted)
        found = self._readings.get(known)
        if found is None:
            if len(self._readings) >= _READINGS:
                self._readings.clear()
            found = read(member, self.profile.placeholders, wanted=self._wanted)
            name = found.name
            found.common = name is not None and name.hanzi in self.profile.common_names
            found.values = tuple([row.comparator.read(found) for row in self.profile.fields])
            self._readings[known] = found
        return found

    def compare(self, a: Reading, b: Reading) -> Comparison:
        """Level and bits of every field, and what follows."""
        profile = self.profile
        levels: dict[str, str] = {}
        bits: dict[str, float] = {}
        total = profile.prior
        for row, x, y in zip(profile.fields, a.values, b.values, strict=True):
            level = "missing" if x is None or y is None else row.comparator.compare(x, y)
            levels[row.name] = level
            weight = row.weights[level]
            bits[row.name] = weight
            total += weight
        held = tuple([(rule.name, rule.ruling) for rule in profile.rules if rule.holds(levels)])
        rulings = {ruling for _, ruling in held}
        apart = not rulings.isdisjoint(_APART)
        if "apart" in rulings:
            decision = Decision.NONE
        elif not apart and "review" not in rulings and ("link" in rulings or total >= profile.link):
            decision = Decision.LINK
        else:
            decision = Decision.REVIEW if total >= profile.review else Decision.NONE
        return Comparison(levels, bits, total, held, decision, apart)

    def _reason(self, found: Comparison) -> str:
        parts = [f"{name} {level}" for name, level in found.levels.items() if level != "missing"]
        rules = "".join(f"; {name}" for name, _ in found.rules)
        return f"{found.total:.1f} bits: {', '.join(parts)}{rules}"


@lru_cache(8)
def _remembered(source: str) -> ProfileMatcher:
    """The matcher of a profile's text: in the writer's process one for all the work that names it."""
    return ProfileMatcher(parse_profile(source))


_IN_PARTS: Final = frozenset(
    COMPARATORS[name] for name in ("house_number", "street", "second_line", "city", "state", "postal_code")
)
_APART: Final = ("apart", "conflict")
_RANK: Final = {Decision.NONE: 0, Decision.REVIEW: 1, Decision.LINK: 2}


def _doubted(verdict: Verdict, why: str) -> Verdict:
    return verdict._replace(decision=Decision.REVIEW, reason=f"{verdict.reason}; {why}")
