"""Identifier domains: who assigns patient identifiers, and who may speak for them (ITI TF-2 3.8.4.1.3.1; DESIGN D13).

A domain is named by its assigning authority: a namespace, a universal id with its type, or all three. Whichever of
these a message uses, :meth:`Domains.find` gives the one domain that is meant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from xds.datatypes.hl7 import CX, HD, NOBODY
from xds.patients.identity import same_authority


class Mode(StrEnum):
    """Where the identifiers come from that documents carry (DESIGN D13)."""

    EXTERNAL = "external"  # somebody else feeds them
    ASSIGNED = "assigned"  # we mint one for each person


class CheckDigit(StrEnum):
    """How a mistyped identifier of a domain is told from a right one."""

    NONE = "none"
    CN = "cn"  # resident identity number, GB 11643: 18 characters, ISO 7064 MOD 11-2, with a birth date inside


@dataclass(frozen=True, slots=True)
class Source:
    """A sender of identity feeds: the first components of MSH-3 and MSH-4; None is any."""

    application: str | None = None
    facility: str | None = None

    def is_sender(self, application: HD, facility: HD) -> bool:
        return (
            self.application is None or self.application in (application.namespace_id, application.universal_id)
        ) and (self.facility is None or self.facility in (facility.namespace_id, facility.universal_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One identifier domain.

    ``sources`` may speak for it; none means that everybody may. ``trusted``: a number of the person and not of a
    hospital (national identity number, health card). Anybody may quote one beside their own identifier; it is evidence
    that two records are one person's, never an identity that is fed, merged or linked. ``in_pid_19``: PID-19 holds it.
    """

    authority: HD
    sources: tuple[Source, ...] = ()
    trusted: bool = False
    in_pid_19: bool = False
    check_digit: CheckDigit = CheckDigit.NONE
    configured: bool = True
    #: what stands for the domain in the store: 48 bits of a hash of its universal id, else of its namespace
    number: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not self.authority:
            raise ValueError("an identifier domain has an assigning authority")
        object.__setattr__(self, "number", number_of(self.authority))

    def identifier(self, id: str) -> CX:
        """An identifier of the domain, its authority as completely as it is known (ITI TF-2 3.9.4.2.2.6)."""
        return CX(id, self.authority)

    def wire(self, id: str) -> str:
        """An identifier in the form that metadata has, ``id^^^&OID&ISO``."""
        return str(CX(id, HD("", self.authority.universal_id, self.authority.universal_id_type or "ISO")))

    def may_be_fed_by(self, application: HD, facility: HD) -> bool:
        """Whether this sender (MSH-3, MSH-4) speaks for the domain (ITI TF-2 3.8.4.1.1)."""
        return not self.sources or any(source.is_sender(application, facility) for source in self.sources)


def number_of(authority: HD) -> int:
    """What stands for a domain in the store; equal for all designations that share the universal id."""
    text = f"&{authority.universal_id}" if authority.universal_id else authority.namespace_id
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:6])


_KEPT: Final = 10_000  # designations whose domain is remembered


class Domains:
    """The identifier domains of a server, in one table.

    ``affinity`` is that of the patient identifiers in metadata; it need not stand in ``rows`` as well. ``open``: an
    authority that is in no row is a domain of its own, for which everybody may speak; ``None`` is open when there are
    no rows. A closed table knows only its rows.
    """

    def __init__(
        self,
        rows: Iterable[Domain] = (),
        *,
        affinity: HD | str | None = None,
        mode: Mode = Mode.EXTERNAL,
        open: bool | None = None,
    ) -> None:
        domains = list(rows)
        self.open = not domains if open is None else open
        self.mode = mode
        authority = HD.oid(affinity) if isinstance(affinity, str) else affinity or NOBODY
        self.affinity: Domain | None = None
        if authority:
            self.affinity = next((d for d in domains if same_authority(d.authority, authority)), None)
            if self.affinity is None:
                self.affinity = Domain(authority=authority)
                domains.append(self.affinity)
        if mode is not Mode.EXTERNAL and self.affinity is None:
            raise ValueError("identifiers can be assigned only where there is an affinity domain")
        self.rows = tuple(domains)
        self._by_number = {domain.number: domain for domain in domains}
        if len(self._by_number) < len(domains):
            raise ValueError("two identifier domains have the same universal id")
        namespaces = [d.authority.namespace_id for d in domains if d.authority.namespace_id]
        if len(set(namespaces)) < len(namespaces):
            raise ValueError("two identifier domains have the same namespace")
        self._cache: dict[HD, Domain | None] = {}
        self.in_pid_19 = next((d for d in domains if d.in_pid_19), None)

    def find(self, authority: HD) -> Domain | None:
        """The domain of an assigning authority, by any valid combination of its subcomponents; None when unknown.

        In an open table every authority is one: whether anything is known of it is the store's to say.
        """
        try:
            return self._cache[authority]
        except KeyError:
            pass
        found = next((d for d in self.rows if same_authority(d.authority, authority)), None)
        if found is None and self.open and (authority.universal_id or authority.namespace_id):
            found = Domain(authority=authority, configured=False)
        if len(self._cache) >= _KEPT:
            self._cache.clear()
        self._cache[authority] = found
        return found

    def by_number(self, number: int) -> Domain | None:
        """The configured domain with this number."""
        return self._by_number.get(number)

    def of_source(self, application: HD, facility: HD) -> Domain | None:
        """The one domain that this sender is configured for; None when there is none or several.

        It is meant where an identifier has no assigning authority (ITI TF-2 3.8.4.1.3).
        """
        fed = [d for d in self.rows if d.sources and not d.trusted and d.may_be_fed_by(application, facility)]
        return fed[0] if len(fed) == 1 else None


def is_plausible(domain: Domain, id: str, *, checked: bool = True) -> bool:
    """Whether an identifier of a trusted domain can be a person's, not a placeholder; ``checked``: nor a slip."""
    text = id.strip().upper()
    if len(text) < 5 or len(set(text)) < 3:  # 000000, 999999999, 1111
        return False
    if text in "01234567890123456789" or text in "98765432109876543210":
        return False
    return not checked or domain.check_digit is not CheckDigit.CN or _is_resident_number(text)


_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"


def _is_resident_number(text: str) -> bool:
    digits = text[:17]
    if len(text) != 18 or not (digits.isascii() and digits.isdigit()):
        return False
    return _CHECK[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11] == text[17]
