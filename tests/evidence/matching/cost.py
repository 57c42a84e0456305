"""What recognising people costs in the manager: ``python -m tests.evidence.matching.cost REGION [--copies 3]``.

A region's stream goes through the manager on a store on disk, after so many other regions: copies of it whose people
were born on other days, with other numbers and telephones. Printed is CPU per message, of the whole process, decoding
included; with ``--matching off`` what is left without a matcher. Also written are the files that the scorer reads.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.evidence.matching.quality import score
from tests.evidence.matching.regions import feeds, region_domains
from xds.datatypes.hl7 import CX
from xds.matching import matcher_of
from xds.matching.resident import check_digit, read_resident
from xds.patients.feed import IdentityFeed
from xds.patients.records import FactKind, Identity, IdentityState
from xds.pix import PatientIdentifierCrossReferenceManager, Policy
from xds.pix.feed import FeedWork
from xds.ports import Transaction
from xds.stores import open_store

_IN_FLIGHT = 256


def elsewhere(feed: IdentityFeed, copy: int) -> IdentityFeed:
    """The same message of another region: nobody of it is anybody of this one."""
    told = feed.demographics
    return replace(
        feed,
        identifiers=tuple(_other_number(cx, copy) for cx in feed.identifiers),
        prior_identifiers=tuple(_other_number(cx, copy) for cx in feed.prior_identifiers),
        control_id=f"{feed.control_id}-{copy}",
        demographics=replace(
            told,
            birth_time=_later(told.birth_time, copy),
            ssn=_number(told.ssn, copy),
            addresses=tuple(replace(address, street=_other_door(address.street, copy)) for address in told.addresses),
            mothers_maiden_names=(),
            home_phones=tuple(
                replace(phone, **{part: _other_phone(getattr(phone, part), copy) for part in ("number", "formatted")})
                for phone in told.home_phones
            ),
        ),
    )


def _later(birth: str, copy: int) -> str:
    try:
        return f"{datetime.strptime(birth[:8], '%Y%m%d') + timedelta(days=11 * copy):%Y%m%d}".zfill(8)
    except ValueError:
        return birth


def _number(text: str, copy: int) -> str:
    number = read_resident(text)
    if number is None or len(text) != 18:
        return text
    core = number.core[:6] + _later(number.core[6:14], copy) + number.core[14:]
    return core + check_digit(core)


def _other_number(cx: CX, copy: int) -> CX:
    other = _number(cx.id, copy)
    return replace(cx, id=other if other != cx.id else f"{cx.id}-{copy}")


def _other_door(text: str, copy: int) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) + 7 * copy), text)


def _other_phone(text: str, copy: int) -> str:
    return text[:-4] + f"{(int(text[-4:]) + 37 * copy) % 10_000:04}" if text[-4:].isdigit() else text


def preload(manager: PatientIdentifierCrossReferenceManager, stream: list[IdentityFeed], copies: int) -> int:
    """Registrations of so many other regions, put into the store as the manager would, but matched with nobody."""
    known = 0
    for copy in range(1, copies + 1):
        planned = [manager.plan_feed(elsewhere(feed, copy)) for feed in stream if not feed.event.has_prior]
        for start in range(0, len(planned), 1000):
            known += manager.store.submit(partial(_insert, planned[start : start + 1000])).result()
    return known


def _insert(planned: list[FeedWork], transaction: Transaction) -> int:
    inserted = 0
    for work in planned:
        [target] = work.targets
        active, quoted = IdentityState.ACTIVE, " ".join(work.quoted)
        key = transaction.insert_identity(
            Identity(0, target.domain, target.id, active, True, quoted=quoted, demographics=work.demographics)
        )
        if key is not None:
            transaction.add_terms(key, work.terms)
            inserted += 1
    return inserted


def send(manager: PatientIdentifierCrossReferenceManager, stream: Iterator[IdentityFeed]) -> int:
    waiting: deque[Future[Any]] = deque()
    sent = 0
    for feed in stream:
        waiting.append(manager.apply_feed(feed))
        sent += 1
        if len(waiting) >= _IN_FLIGHT:
            waiting.popleft().result()
    for future in waiting:
        future.result()
    return sent


def write(manager: PatientIdentifierCrossReferenceManager, region: Path, folder: Path) -> tuple[Path, Path]:
    """``result.csv`` and ``review.csv`` as the scorer reads them."""
    oids = {d.number: d.authority.universal_id for feed in feeds(region) for d in _domains(manager, feed)}

    def rows(reader: Any) -> tuple[list[Any], list[Any]]:
        people, reviews, after = [], [], 0
        while keys := reader.all_identities(after=after, limit=1000):
            people += [(oids[i.domain], i.id, i.group) for i in reader.identities(keys) if i.domain in oids]
            after = keys[-1]
        for fact in reader.reviews(10**6):
            assert fact.kind is FactKind.REVIEW
            pair = reader.identities([fact.subject, fact.other])
            reviews.append([part for i in pair for part in (oids.get(i.domain, ""), i.id)])
        return people, reviews

    result, review = folder / "result.csv", folder / "review.csv"
    for path, header, found in zip(
        (result, review),
        (("hospital", "local_id", "xref_id"), ("hospital_a", "local_id_a", "hospital_b", "local_id_b")),
        manager.store.read(rows),
        strict=True,
    ):
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([header, *found])
    return result, review


def _domains(manager: PatientIdentifierCrossReferenceManager, feed: IdentityFeed) -> Iterator[Any]:
    found = (manager.domains.find(cx.assigning_authority) for cx in feed.identifiers)
    return (domain for domain in found if domain is not None and not domain.trusted)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("region", type=Path)
    options.add_argument("--matching", default="cn")
    options.add_argument("--copies", type=int, default=0)
    options.add_argument("--preload", type=int, default=0, help="as --copies, without matching them")
    options.add_argument("--store", type=Path, help="keep it in this folder, and go on from what is there")
    given = options.parse_args()
    folder = given.store or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    with open_store(folder / "xds.sqlite", documents=folder / "documents") as store:
        policy = Policy(matcher=matcher_of(given.matching))
        manager = PatientIdentifierCrossReferenceManager(store, domains=region_domains(), policy=policy)
        known = preload(manager, list(feeds(given.region)), given.preload)
        for copy in range(1, given.copies + 1):
            start = time.process_time()
            sent = send(manager, (elsewhere(feed, copy) for feed in feeds(given.region)))
            known += sent
            print(f"{known:8} messages before, {1000 * (time.process_time() - start) / sent:.3f} ms each", flush=True)
        start = time.process_time()
        read = sum(1 for _ in feeds(given.region))
        reading = time.process_time() - start
        start = time.process_time()
        sent = send(manager, feeds(given.region))
        took = time.process_time() - start
        print(
            f"matching {given.matching}: {1000 * took / sent:.3f} ms of CPU for a message with {known} messages before,"
            f" {1000 * reading / read:.3f} ms of it reading it"
        )
        result, review = write(manager, given.region, folder)
    return score(given.region, result, review)


if __name__ == "__main__":
    sys.exit(main())
