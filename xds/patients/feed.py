"""What a Patient Identity Feed message says, without a trace of HL7 v2.

ITI-8 (ITI TF-2 3.8), ITI-30 (3.30) and ITI-64 (3.64).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.datatypes.hl7 import CX, HD, NOBODY, XPN
from xds.errors import XdsError
from xds.patients.demographics import Demographics
from xds.patients.identity import identifiers_of
from xds.patients.visit import Visit
from xds.vocab.hl7 import FeedEvent


class Refusal(StrEnum):
    """Why an actor does not apply a feed."""

    SELF_MERGE = "self-merge"  # survivor and subsumed are the same identifier
    CYCLE = "cycle"  # the survivor has been merged into the subsumed one
    UNKNOWN_SURVIVOR = "unknown survivor"
    UNKNOWN_IDENTIFIER = "unknown identifier"
    FOREIGN_DOMAIN = "foreign domain"  # not a domain of the receiver, or the two of a merge are of different domains
    SOURCE_NOT_ALLOWED = "source not allowed"  # the sender does not feed this domain
    ALREADY_SUBSUMED = "already subsumed"
    IDENTIFIER_TAKEN = "identifier taken"  # a changed identifier is another patient's: a merge was due
    NOT_SUPPORTED = "not supported"  # the event, by this receiver or its configuration


class FeedRejected(XdsError):
    """An actor refuses a feed; nothing of it is applied.

    ``prior``: an identifier that ends (MRG-1), or one of the second list of a link, is the cause, not one of PID-3;
    ``ordinal`` is its position in that list from 1.
    """

    def __init__(self, reason: Refusal, *, prior: bool = False, ordinal: int = 1) -> None:
        super().__init__(f"the feed is refused: {reason}")
        self.reason = reason
        self.prior = prior
        self.ordinal = ordinal

    def __reduce__(self) -> tuple[object, ...]:
        return _rejected, (self.reason, self.prior, self.ordinal)


def _rejected(reason: Refusal, prior: bool, ordinal: int) -> FeedRejected:
    return FeedRejected(reason, prior=prior, ordinal=ordinal)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFeed:
    """One event in the life of an identity; what ``apply_feed`` of the actors takes.

    ``identifiers`` has at least one, each with an id. Their assigning authority may be a namespace alone, and may be
    missing where the source is configured to have none: ``of_domain`` reads them as the Framework demands.
    In a merge ``identifiers`` survive and ``prior_identifiers``, at least one, end; a changed identifier (A47) is given
    up for the one in ``identifiers``. In ITI-64 the first of each is the XAD-PID, the second of ``identifiers`` the
    local id, and the second prior one, if any, a local id that is subsumed. A link, and its end, is between
    ``identifiers`` and ``linked_identifiers``.
    """

    event: FeedEvent
    identifiers: tuple[CX, ...]  # PID-3
    demographics: Demographics = Demographics()  # noqa: RUF009 (a frozen value)
    prior_identifiers: tuple[CX, ...] = ()  # MRG-1
    prior_names: tuple[XPN, ...] = ()  # MRG-7
    linked_identifiers: tuple[CX, ...] = ()  # PID-3 of the second PID
    visit: Visit | None = None  # PV1; None when the message is about no visit
    sending_application: HD = NOBODY  # MSH-3
    sending_facility: HD = NOBODY  # MSH-4
    receiving_application: HD = NOBODY  # MSH-5
    receiving_facility: HD = NOBODY  # MSH-6
    control_id: str = ""  # MSH-10
    message_time: str = ""  # MSH-7
    recorded_time: str = ""  # EVN-2
    occurred_time: str = ""  # EVN-6
    # EVN-2, else MSH-7, in UTC: tells newer demographics from older ones of the same source. None: missing, unreadable
    recorded_at: datetime | None = None
    recorded_ahead: bool = False  # that moment lies far in the future: it orders nothing

    def __post_init__(self) -> None:
        named = self.identifiers + self.prior_identifiers + self.linked_identifiers
        if not self.identifiers or not all(identifier.id for identifier in named):
            raise ValueError("an identity feed names its patient: every identifier has an id")
        if self.event.has_prior and not self.prior_identifiers:
            raise ValueError("a merge or change of identifier has a prior identifier")
        if self.event.links and not self.linked_identifiers:
            raise ValueError("a link has a second list of identifiers")

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
