"""Visits that come with a feed, kept with its identities for ITI-22 (ITI TF-2 3.8.4.1.2, 3.22).

A visit is known by its number, PV1-19, with the authority. A number without authority is one of the domain that the
sender speaks for, or of the sender; it is kept and answered as it was sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from xds.datatypes.hl7 import CX
from xds.patients import compact_visit
from xds.patients.domains import Domains, number_of
from xds.patients.feed import IdentityFeed
from xds.patients.records import MOST_VISITS, IdentityKey, IdentityWriter, KeptVisit
from xds.patients.stamps import stamped
from xds.patients.terms import visit_terms
from xds.vocab.hl7 import FeedEvent

#: In A28 and A31 PV1 is there because HL7 wants one: its PV1-2 is N (ITI TF-2 3.30.6.2.3).
_ABOUT_VISITS: Final = frozenset({FeedEvent.ADMIT, FeedEvent.REGISTER, FeedEvent.PREADMIT, FeedEvent.UPDATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitNews:
    """What one message says of a visit: picklable, as ``FeedWork`` has it."""

    number: int  # ``KeptVisit.number``
    visit: bytes
    terms: frozenset[str]
    began: int  # of PV1-44; 0 when it is empty or no time
    heard: int  # ``KeptVisit.heard``
    deleted: frozenset[str] = frozenset()

    @property
    def content(self) -> bytes:
        """What tells this message from others."""
        return self.visit + repr(sorted(self.deleted)).encode() if self.deleted else self.visit


def news_of(feed: IdentityFeed, domains: Domains, source: int, now: datetime) -> VisitNews | None:
    """The visit of a feed; None when it is about none. ``source`` stands for the sender."""
    visit = feed.visit
    if visit is None or feed.event not in _ABOUT_VISITS:
        return None
    encoded = compact_visit.encode(visit)
    if not encoded:
        return None
    number = 0
    if visit.visit_number.id.strip():
        number = _number(visit.visit_number, feed, domains, source)
    heard = int(now.timestamp() * 1000)
    return VisitNews(
        number=number,
        visit=encoded,
        terms=visit_terms(visit),
        began=_number_of_time(visit.admit_time),
        heard=heard,
        deleted=visit.deleted,
    )


def _number(number: CX, feed: IdentityFeed, domains: Domains, source: int) -> int:
    authority = number.assigning_authority
    if authority:
        domain = domains.find(authority)
        of = number_of(authority) if domain is None else domain.number
    else:
        domain = domains.of_source(feed.sending_application, feed.sending_facility)
        of = source if domain is None else domain.number
    text = f"{of:x}^{number.id.strip()}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]) >> 1 or 1


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells of a visit, and when."""

    source: int
    moment: int | None  # milliseconds since 1970; None orders nothing


def keep_visit(
    transaction: IdentityWriter, identity: IdentityKey, news: VisitNews, teller: Teller, *, fresh: bool
) -> bool:
    """Keep what is new about a visit; whether there was anything. ``fresh``: the identity is as new, with its terms.

    As with demographics, fields that are empty stay as they were (HL7 2.5, 2.10.4), and what a source said before does
    not overwrite what it said later. Of a visit without number nobody can tell whether it is the one before: it
    replaces that.
    """
    known = [] if fresh else transaction.visits([identity])
    before = next((v for v in known if v.number == news.number), None)
    stamps: bytes | None = b"" if before is None else before.stamps
    if teller.moment is not None:
        stamps = stamped(stamps or b"", teller.source, teller.moment)
    if stamps is None:
        return False
    same_visit = before is not None and before.number != 0
    content = compact_visit.overlay(before.visit, news.visit, news.deleted) if before and same_visit else news.visit
    if before is not None and (content, stamps) == (before.visit, before.stamps):
        return False
    # an overlay keeps a PV1-44 that is known, and with it when the visit began
    began = news.began or (before.began if before and same_visit else _told(news, teller))
    visit = KeptVisit(
        identity=identity, number=news.number, began=began, heard=news.heard, stamps=stamps, visit=content
    )
    if before is None and len(known) >= MOST_VISITS and not _make_room(transaction, visit, known):
        return False
    transaction.put_visit(visit)
    if before is None and not fresh and news.terms:
        transaction.add_terms(identity, news.terms)
    return True


def _make_room(transaction: IdentityWriter, visit: KeptVisit, known: list[KeptVisit]) -> bool:
    """Forget the oldest visits; False when the new one would be older than all that are kept."""
    ordered = sorted(known, key=_age)
    surplus = ordered[: len(known) + 1 - MOST_VISITS]
    if visit.age < surplus[-1].age:
        return False
    transaction.remove_visits(visit.identity, [v.number for v in surplus])
    needed = _terms(ordered[len(surplus) :]) | _terms([visit])
    if unneeded := _terms(surplus) - needed:
        transaction.remove_terms(visit.identity, unneeded)
    return True


def _terms(visits: Iterable[KeptVisit]) -> set[str]:
    return {term for v in visits for term in visit_terms(compact_visit.decode(v.visit))}


def _age(visit: KeptVisit) -> tuple[int, int, int, int]:
    return visit.age


def _told(news: VisitNews, teller: Teller) -> int:
    """When a visit without PV1-44 was told of first: it began about then."""
    told = news.heard if teller.moment is None else teller.moment
    return int(f"{datetime.fromtimestamp(told / 1000, UTC):%Y%m%d%H%M%S}")


def _number_of_time(text: str) -> int:
    """A time as written, without its zone, as YYYYMMDDhhmmss; 0 when it is none."""
    digits = text[:14]
    while digits and not (digits.isascii() and digits.isdigit()):
        digits = digits[:-1]
    return int(digits.ljust(14, "0")) if len(digits) >= 4 else 0
