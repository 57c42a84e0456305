"""The port through which a matcher plugs into the Patient Identifier Cross-reference Manager, and the matcher ``ids``.

A matcher sees one identity whose demographics are new, and one by one the people who might be the same; it says whether
they are (``LINK``), whether people should decide (``REVIEW``), or neither. What it says is recorded, applied and undone
by the manager. It runs inside the writer: it is picklable, quick, and looks at nothing but what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from xds.patients.demographics import Demographics
from xds.patients.domains import Domain, Domains, is_plausible
from xds.patients.names import divided, family_keys, given_keys
from xds.patients.records import IdentityKey
from xds.patients.terms import quoted_entry, quoted_term


class Decision(StrEnum):
    LINK = "link"
    REVIEW = "review"
    NONE = "none"


class Verdict(NamedTuple):
    """What a matcher says of two people; ``reason`` names fields and rules, never their content.

    ``witness`` is the person's identity that speaks most for it, None only with NONE; ``bits`` how much it does.
    """

    decision: Decision
    reason: str = ""
    witness: IdentityKey | None = None
    bits: float = 0.0


@dataclass(frozen=True, slots=True)
class Member:
    """One identity of a person, as a matcher sees it; ``quoted`` are its identifiers of trusted domains."""

    key: IdentityKey
    domain: int
    demographics: Demographics
    quoted: frozenset[str] = frozenset()


class Matcher(Protocol):
    """Decides who is one person."""

    @property
    def name(self) -> str:
        """As it stands in the history."""

    @property
    def only_quoted(self) -> bool:
        """Whether identities without an identifier of a trusted domain are never matched."""

    def terms(self, member: Member) -> Iterable[str]:
        """Search terms (``xds.patients.terms``): whoever has one of them is a candidate. None: nobody is.

        They are kept with the identity beside those by which people search.
        """

    def judge(self, member: Member, person: tuple[Member, ...]) -> Verdict:
        """Whether the identity is one of this person's, who has at least one member."""

    def among(self, verdicts: Sequence[tuple[Verdict, tuple[Member, ...]]], own: tuple[Member, ...]) -> list[Verdict]:
        """What becomes of the verdicts on several people, in their order; ``own`` are the members it has by now."""


@dataclass(frozen=True, slots=True)
class IdsMatcher:
    """``ids``: people are one when they have the same identifier of a trusted domain and nothing speaks against it.

    Against it speak, with any identity of the person: another birth date or sex, no name in common, another identifier
    of a trusted domain. Then people decide. Placeholders and identifiers whose check digit is wrong are no evidence.
    """

    name: str = "ids"
    only_quoted: bool = True

    def terms(self, member: Member) -> Iterable[str]:
        return map(quoted_term, member.quoted)

    def judge(self, member: Member, person: tuple[Member, ...]) -> Verdict:
        if not any(member.quoted & other.quoted for other in person):
            return Verdict(Decision.NONE)
        against = sorted({conflict for other in person for conflict in _conflicts(member, other)})
        if against:
            return Verdict(Decision.REVIEW, "the same trusted identifier, but " + ", ".join(against), person[0].key)
        return Verdict(Decision.LINK, "the same trusted identifier", person[0].key)

    def among(self, verdicts: Sequence[tuple[Verdict, tuple[Member, ...]]], own: tuple[Member, ...]) -> list[Verdict]:
        """Several people who are not one yet are never linked unseen."""
        found = [verdict for verdict, _ in verdicts]
        if sum(verdict.decision is Decision.LINK for verdict in found) < 2:
            return found
        return [
            verdict._replace(decision=Decision.REVIEW, reason=f"{verdict.reason} with several people")
            if verdict.decision is Decision.LINK
            else verdict
            for verdict in found
        ]


def _conflicts(one: Member, other: Member) -> Iterable[str]:
    a, b = one.demographics, other.demographics
    day = min(len(a.birth_time), len(b.birth_time), 8)
    if day >= 4 and a.birth_time[:day] != b.birth_time[:day]:
        yield "birth dates differ"
    if {a.sex, b.sex} == {"M", "F"}:
        yield "sexes differ"
    if not _share_a_name(a, b):
        yield "no name in common"
    domains = {entry.partition(":")[0]: entry for entry in one.quoted}
    if any(domains.get(entry.partition(":")[0], entry) != entry for entry in other.quoted):
        yield "another trusted identifier differs"


def _share_a_name(a: Demographics, b: Demographics) -> bool:
    """Whether a family and a given name are the same in some spelling; a name that is not known is no difference."""
    for keys, attribute in ((family_keys, "family_name"), (given_keys, "given_name")):
        ours = {key for name in map(divided, (*a.names, *a.aliases)) for key in keys(getattr(name, attribute))}
        theirs = {key for name in map(divided, (*b.names, *b.aliases)) for key in keys(getattr(name, attribute))}
        if ours and theirs and not ours & theirs:
            return False
    return True


def trusted_entries(
    domains: Domains, found: Iterable[tuple[Domain, str]], demographics: Demographics, *, slips: bool = False
) -> list[str]:
    """The identifiers of trusted domains that came with an identity, as they are kept: those that can be right.

    With ``slips`` those too whose check digit is wrong, for a matcher that can tell what was meant.
    """
    quoted = [(domain, id) for domain, id in found if domain.trusted]
    if domains.in_pid_19 is not None and demographics.ssn:
        quoted.append((domains.in_pid_19, demographics.ssn))
    return sorted(
        {quoted_entry(domain.number, id) for domain, id in quoted if is_plausible(domain, id, checked=not slips)}
    )
