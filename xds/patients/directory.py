"""Identifier domains as a query meets them, and the identifiers of a person in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from xds.datatypes.hl7 import CX, HD
from xds.patients.domains import Domain, Domains, is_plausible
from xds.patients.identity import same_authority
from xds.patients.queries import UnknownDomain
from xds.patients.records import Identity, IdentityReader
from xds.patients.terms import quoted_entry, quoted_term

_HOLDERS: Final = 100  # of one identifier of a trusted domain


class Directory:
    """The identifier domains as a query meets them: the configured ones, and those that came with a feed."""

    def __init__(self, domains: Domains, reader: IdentityReader) -> None:
        self._domains = domains
        self._reader = reader
        self._learned: list[Domain] | None = None

    @property
    def learned(self) -> list[Domain]:
        if self._learned is None:
            self._learned = [Domain(authority=hd, configured=False) for hd in self._reader.learned_domains()]
        return self._learned

    def find(self, authority: HD) -> Domain | None:
        """The domain that is meant; None when it is neither configured nor ever seen."""
        domain = self._domains.find(authority)
        if domain is None or domain.configured:
            return domain
        return next((d for d in self.learned if same_authority(d.authority, authority)), None)

    def all(self) -> list[Domain]:
        """Every domain that is known, each once."""
        configured = {domain.number for domain in self._domains.rows}
        return [*self._domains.rows, *(d for d in self.learned if d.number not in configured)]

    def by_number(self, number: int) -> Domain | None:
        domain = self._domains.by_number(number)
        if domain is None and self._domains.open:
            return next((d for d in self.learned if d.number == number), None)
        return domain

    def find_all(self, authorities: Iterable[HD]) -> frozenset[int]:
        """The numbers of these domains; UnknownDomain with the position of each that is not known."""
        found = [self.find(authority) for authority in authorities]
        if None in found:
            raise UnknownDomain(tuple(n for n, domain in enumerate(found, 1) if domain is None))
        return frozenset(domain.number for domain in found if domain is not None)

    def order(self, number: int) -> tuple[int, str]:
        """Configured domains in the order of the table, then the others by their names."""
        rows = self._domains.rows
        for place, domain in enumerate(rows):
            if domain.number == number:
                return place, ""
        found = self.by_number(number)
        return len(rows), str(found.authority) if found is not None else ""


def holders(reader: IdentityReader, domain: Domain, id: str) -> list[Identity]:
    """Active identities that quote this identifier of a trusted domain."""
    keys = reader.with_terms([quoted_term(quoted_entry(domain.number, id))], limit=_HOLDERS)
    return [identity for identity in reader.identities(keys) if identity.active] if keys else []


def identifiers_of_person(
    directory: Directory, members: Iterable[Identity], wanted: frozenset[int] | None
) -> list[tuple[int, CX]]:
    """Identifiers of the domains wanted with their domains' numbers, those of one domain next to each other.

    Those of trusted domains, which came along with the others, are among them. What was subsumed is not.
    """
    found: set[tuple[int, str]] = set()
    for member in members:
        if member.active:
            found.add((member.domain, member.id))
            for entry in member.quoted.split():
                number, _, id = entry.partition(":")
                found.add((int(number, 16), id))
    ordered = sorted(
        (directory.order(number), id, number) for number, id in found if wanted is None or number in wanted
    )
    return [
        (number, domain.identifier(id))
        for _, id, number in ordered
        if (domain := directory.by_number(number)) is not None and (not domain.trusted or is_plausible(domain, id))
    ]
