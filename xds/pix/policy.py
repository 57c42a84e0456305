"""What the manager's work needs to know inside the writer: small, fixed and picklable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xds.datatypes.hl7 import CX, HD
from xds.patients.matching import IdsMatcher, Matcher


@dataclass(frozen=True, slots=True)
class Consumer:
    """A PIX Consumer that is told of changes (ITI-10); ``domains`` are numbers, None is all (ITI TF-2 3.10.4.1.1)."""

    name: str
    domains: frozenset[int] | None = None

    def cares_for(self, domains: frozenset[int]) -> bool:
        return self.domains is None or not self.domains.isdisjoint(domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Choices that the Framework leaves open.

    ``unknown_survivor``: an A40 whose PID-3 is unknown makes it known, or is refused. ``window``: for so many seconds a
    message is taken for a repeat. ``documents_may_join``: in a domain whose identifiers we assign, an automatic link of
    two people who both have documents is made; otherwise people decide (DESIGN D13).
    """

    unknown_survivor: Literal["create", "refuse"] = "create"
    window: int = 7 * 24 * 3600
    documents_may_join: bool = False
    consumers: tuple[Consumer, ...] = ()
    matcher: Matcher | None = IdsMatcher()  # noqa: RUF009 (a frozen value)


@dataclass(frozen=True, slots=True)
class Affinity:
    """The affinity domain: its number, its OID, and whether we assign its identifiers."""

    number: int
    oid: str
    assigned: bool = False

    def wire(self, id: str) -> str:
        return str(CX(id, HD("", self.oid, "ISO")))


@dataclass(frozen=True, slots=True)
class Occasion:
    """What stands in the history about a piece of work, and the rules under which it runs."""

    policy: Policy
    affinity: Affinity | None
    time: int  # YYYYMMDDhhmmss, UTC
    now: int  # seconds since 1970
    origin: str
    cause: str = ""
    reason: str = ""
