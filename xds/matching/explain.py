"""Why two registrations are one person's or not: level and weight of every field, the sum, the rules that hold.

An explanation names fields, levels and rules, never what stands in a field: it may be shown beside the registrations,
kept in a history, or sent to whoever tunes the profile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from xds.matching.comparators import MISSING
from xds.matching.matcher import ProfileMatcher
from xds.patients.matching import Decision, Member


@dataclass(frozen=True, slots=True)
class FieldExplained:
    """What one field says."""

    name: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The comparison of two registrations by a profile."""

    profile: str
    prior: float
    fields: tuple[FieldExplained, ...]
    total: float
    link: float
    review: float
    rules: tuple[tuple[str, str], ...]  # name and ruling of those that hold
    shared_keys: int  # None shared: neither is a candidate for the other
    decision: Decision

    @property
    def rule(self) -> str:
        """The rule that decided; empty when the bits did."""
        for ruling in ("apart", "conflict", "review", "link"):
            for name, its in self.rules:
                if its == ruling:
                    return name
        return ""

    def as_json(self) -> str:
        """One JSON object."""
        value: dict[str, Any] = {
            "profile": self.profile,
            "decision": self.decision.value,
            "total": round(self.total, 2),
            "prior": self.prior,
            "thresholds": {"link": self.link, "review": self.review},
            "fields": [{"name": f.name, "level": f.level, "bits": f.bits} for f in self.fields],
            "rules": [{"name": name, "ruling": ruling} for name, ruling in self.rules],
            "shared_keys": self.shared_keys,
        }
        return json.dumps(value, ensure_ascii=False)

    def __str__(self) -> str:
        lines = [f"{'before any field':16} {'':22} {self.prior:+7.2f}"]
        lines += [f"{f.name:16} {f.level:22} {f.bits:+7.2f}" for f in self.fields if f.level != MISSING]
        lines.append(f"{'total':16} {'':22} {self.total:+7.2f}  (link from {self.link:g}, review from {self.review:g})")
        lines += [f"rule: {name} ({ruling})" for name, ruling in self.rules]
        missing = [f.name for f in self.fields if f.level == MISSING]
        if missing:
            lines.append(f"not known of both: {', '.join(missing)}")
        if not self.shared_keys:
            lines.append("no key in common: neither is a candidate for the other")
        lines.append(f"{self.decision.value} by {self.profile}")
        return "\n".join(lines)


def explain(matcher: ProfileMatcher, a: Member, b: Member) -> Explanation:
    """How the matcher compares ``a`` and ``b``."""
    found = matcher.compare(matcher.read(a), matcher.read(b))
    return Explanation(
        profile=matcher.name,
        prior=matcher.profile.prior,
        fields=tuple(FieldExplained(name, level, found.bits[name]) for name, level in found.levels.items()),
        total=found.total,
        link=matcher.profile.link,
        review=matcher.profile.review,
        rules=found.rules,
        shared_keys=len(set(matcher.terms(a)) & set(matcher.terms(b))),
        decision=found.decision,
    )
