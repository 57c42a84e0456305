"""What a Patient Identity Feed message says (ITI-8, ITI TF-2 3.8; ITI-30, 3.30), without a trace of HL7 v2."""

from __future__ import annotations

from dataclasses import dataclass

from xds.datatypes.hl7 import CX, HD, NOBODY, XPN
from xds.patients.demographics import Demographics
from xds.patients.identity import identifiers_of
from xds.vocab.hl7 import FeedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFeed:
    """One event in the life of an identity; what ``apply_feed`` of the actors takes.

    ``identifiers`` has at least one, each with an id. Their assigning authority may be a namespace alone, and may be
    missing where the source is configured to have none: ``of_domain`` reads them as the Framework demands.
    In a merge ``identifiers`` survive and ``prior_identifiers``, at least one, end.
    """

    event: FeedEvent
    identifiers: tuple[CX, ...]  # PID-3
    demographics: Demographics = Demographics()  # noqa: RUF009 (a frozen value)
    prior_identifiers: tuple[CX, ...] = ()  # MRG-1
    prior_names: tuple[XPN, ...] = ()  # MRG-7
    sending_application: HD = NOBODY  # MSH-3
    sending_facility: HD = NOBODY  # MSH-4
    receiving_application: HD = NOBODY  # MSH-5
    receiving_facility: HD = NOBODY  # MSH-6
    control_id: str = ""  # MSH-10
    message_time: str = ""  # MSH-7
    recorded_time: str = ""  # EVN-2
    occurred_time: str = ""  # EVN-6

    def __post_init__(self) -> None:
        if not self.identifiers or not all(i.id for i in self.identifiers + self.prior_identifiers):
            raise ValueError("an identity feed names its patient: every identifier has an id")
        if self.event.merges and not self.prior_identifiers:
            raise ValueError("a merge has a prior identifier")

    def of_domain(self, authority: HD | str) -> tuple[str, ...]:
        """The identifiers of a domain, in wire form ``id^^^&OID&ISO``; foreign ones are left out.

        ``authority`` is the OID, or an HD that also has the namespace which senders use for it. When none is of the
        domain, a single identifier without assigning authority counts as its own (ITI TF-2 3.8.4.1.4).
        """
        return _wire(self.identifiers, authority)

    def prior_of_domain(self, authority: HD | str) -> tuple[str, ...]:
        """As ``of_domain``, of the identifiers that end in a merge."""
        return _wire(self.prior_identifiers, authority)


def _wire(identifiers: tuple[CX, ...], authority: HD | str) -> tuple[str, ...]:
    domain = HD.oid(authority) if isinstance(authority, str) else authority
    found = identifiers_of(identifiers, domain)
    if not found and sum(not identifier.assigning_authority for identifier in identifiers) == 1:
        # of several bare identifiers (local numbers of different kinds) nobody can say which one is meant
        found = identifiers_of(identifiers, domain, adopt=True)
    return tuple(map(str, found))
