"""Invented regions as streams of ADT messages, read with the library's own HL7 v2, and FEBRL's public data sets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xds.datatypes.hl7 import HD
from xds.hl7v2.er7 import parse
from xds.hl7v2.feeds import Feed
from xds.hl7v2.segments import read_header
from xds.patients.domains import Domain, Domains
from xds.patients.feed import IdentityFeed
from xds.patients.matching import Member, trusted_entries
from xds.transactions.base import Hl7v2Request
from xds.transactions.iti8 import decode_request

RESIDENT_NUMBERS = "2.16.156.10011.1.3"


def region_domains() -> Domains:
    """The hospitals are whoever sends; resident numbers stand in PID-3 or PID-19."""
    resident = Domain(authority=HD.oid(RESIDENT_NUMBERS), trusted=True, in_pid_19=True)
    return Domains([resident], open=True)


def messages(region: Path) -> Iterator[bytes]:
    """The messages of a region in their order."""
    data = (region / "stream.mllp").read_bytes()
    with (region / "stream.csv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            start = int(row["offset"])
            yield data[start : start + int(row["length"])].strip(b"\x0b\x1c\r") + b"\r"


def feeds(region: Path) -> Iterator[IdentityFeed]:
    agreed = Feed()
    for data in messages(region):
        message = parse(data)
        yield decode_request(Hl7v2Request(message, read_header(message), agreed))


@dataclass(frozen=True)
class Event:
    """What a message does: a registration says something, or ``prior`` ends in it."""

    oid: str
    id: str
    member: Member | None
    prior: str = ""


def events(region: Path) -> list[Event]:
    """The stream as a matcher sees it; keys of members count the registrations from 1."""
    domains = region_domains()
    keys: dict[tuple[str, str], int] = {}
    found: list[Event] = []
    for feed in feeds(region):
        identifiers = [(domains.find(cx.assigning_authority), cx) for cx in feed.identifiers]
        domain, own = next((d, cx) for d, cx in identifiers if d is not None and not d.trusted)
        oid = own.assigning_authority.universal_id
        if feed.event.has_prior:
            found.append(Event(oid, own.id, None, feed.prior_identifiers[0].id))
            continue
        key = keys.setdefault((oid, own.id), len(keys) + 1)
        named = [(d, cx.id) for d, cx in identifiers if d is not None]
        quoted = frozenset(trusted_entries(domains, named, feed.demographics))
        found.append(Event(oid, own.id, Member(key, domain.number, feed.demographics, quoted)))
    return found
