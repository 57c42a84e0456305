"""The manager and the registry against the naive model, over random feeds, links, merges, undos and submissions.

``XDS_SEQUENCES``, ``XDS_SEED``, ``XDS_MODEL_DATABASE`` and ``XDS_MODEL_JOURNAL`` as in ``test_model``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.model.identities import AFFINITY, CHANGE, MERGE, NaiveIdentities, Name, Statement
from tests.model.test_model import JOURNAL, SEED, SEQUENCES, database
from tests.xds.pix.people import Region, person, x
from xds.datatypes.hl7 import CX, HD
from xds.patients import compact
from xds.patients.domains import Domain, Domains, number_of
from xds.patients.feed import FeedRejected, IdentityFeed
from xds.patients.queries import DemographicsQuery, PatientCriteria
from xds.patients.visit import Visit
from xds.pdq import PatientDemographicsSupplier
from xds.pix import AppliedFeed, PatientIdentifierCrossReferenceManager, Policy
from xds.pix.history import NotUndoable
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY, AffinityDomain, DocumentRegistry
from xds.stores import open_store
from xds.transactions.applying import apply_feed
from xds.vocab.hl7 import FeedEvent

STEPS = 25
AUTHORITIES = {"A": HD("HA", "1.2.3.1", "ISO"), "B": HD("HB", "1.2.3.2", "ISO")}
START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {MERGE: FeedEvent.MERGE, CHANGE: FeedEvent.CHANGE_IDENTIFIER}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    folder: Path = tmp_path_factory.mktemp("identities")
    with database(folder) as url, open_store(url, documents=folder / "documents") as store:
        rows = [Domain(authority=authority) for authority in AUTHORITIES.values()]
        domains = Domains(rows, affinity=DEFAULT_ASSIGNING_AUTHORITY)
        seconds = count()
        manager = PatientIdentifierCrossReferenceManager(
            store,
            domains=domains,
            policy=Policy(matcher=None),
            clock=lambda: START + timedelta(days=1, seconds=next(seconds)),
        )
        yield Region(manager, DocumentRegistry(store, domain=AffinityDomain(merges="manager")))


class Sequence:
    """One random sequence, done on both sides."""

    def __init__(self, region: Region, seed: int) -> None:
        self.region = region
        self.seed = seed
        self.r = Random(seed)
        self.model = NaiveIdentities()
        self.names = [
            (domain, f"{seed}-{n}") for domain, many in ((AFFINITY, 5), ("A", 3), ("B", 3)) for n in range(many)
        ]
        self.supplier = PatientDemographicsSupplier(region.manager.store, domains=region.manager.domains)
        self.sent: list[tuple[IdentityFeed, bool]] = []
        self.refused = self.undone = 0

    def cx(self, name: Name) -> CX:
        return x(name[1]) if name[0] == AFFINITY else CX(name[1], AUTHORITIES[name[0]])

    def some(self, most: int = 3) -> list[Name]:
        return self.r.sample(self.names, self.r.randint(1, most))

    def pair(self) -> tuple[Name, Name]:
        domain = self.r.choice((AFFINITY, AFFINITY, "A", "B"))
        names = [name for name in self.names if name[0] == domain]
        return self.r.choice(names), self.r.choice(names)

    # ------------------------------------------------------------------ steps

    def step(self) -> None:
        self.r.choice(
            (
                self.announce,
                self.announce,
                self.end,
                self.end,
                self.link,
                self.unlink,
                self.submit,
                self.undo,
                self.undo,
                self.repeat,
                self.decide,
            )
        )()

    def announce(self) -> None:
        names = sorted(self.some(), key=lambda n: (number_of(self.cx(n).assigning_authority), n[1]))
        said, source, time = f"Madeup{self.r.randint(1, 99)}", self.r.choice(("ONE", "TWO")), self.r.randint(1, 50)
        event = self.r.choice((FeedEvent.ADMIT, FeedEvent.UPDATE, FeedEvent.UPDATE_PERSON))
        made = self.model.announce(names, said, source, time)
        number, ward = self.r.choice(("", "V1")), f"W{self.r.randint(1, 4)}"
        told = self.r.random() < 0.7
        if told and event is not FeedEvent.UPDATE_PERSON:
            self.model.tell_visit(names, number, ward, source, time)
        self.compare_feed(
            made,
            event=event,
            identifiers=tuple(map(self.cx, self.r.sample(names, len(names)))),
            demographics=person(said),
            visit=Visit(location=(ward,), visit_number=CX(number, AUTHORITIES["A"])) if told else None,
            sending_application=HD(source),
            recorded_at=START + timedelta(minutes=time),
        )

    def end(self) -> None:
        prior, survivor = self.pair()
        kind = self.r.choice((MERGE, MERGE, CHANGE))
        expected = self.model.end(kind, prior, survivor)
        self.compare_feed(
            expected, event=KINDS[kind], identifiers=(self.cx(survivor),), prior_identifiers=(self.cx(prior),)
        )

    def link(self) -> None:
        one, other = self.r.choice(self.names), self.r.choice(self.names)
        expected = self.model.link(one, other)
        self.compare_feed(
            expected, event=FeedEvent.LINK, identifiers=(self.cx(one),), linked_identifiers=(self.cx(other),)
        )

    def unlink(self) -> None:
        one, other = self.r.choice(self.names), self.r.choice(self.names)
        expected = self.model.unlink(one, other)
        self.compare_feed(
            expected, event=FeedEvent.UNLINK, identifiers=(self.cx(one),), linked_identifiers=(self.cx(other),)
        )

    def decide(self) -> None:
        """Two people are parted by hand, whether they were linked or not."""
        active = [name for name in self.names if self.model.active(name)]
        if len(active) < 2:
            return
        one, other = self.r.sample(active, 2)
        statement = Statement("unlink", one, other)
        self.model.statements.append(statement)
        statement.number = self.region.manager.unlink(self.cx(one), self.cx(other), by="the test")

    def submit(self) -> None:
        name = self.r.choice([name for name in self.names if name[0] == AFFINITY])
        accepted = self.region.submit(self.cx(name)) is None
        assert accepted == self.model.may_have_documents(name)
        if accepted:
            self.model.documents.append(name)

    def undo(self) -> None:
        if not self.model.statements:
            return
        statement = self.r.choice(self.model.statements)
        undone = self.model.undo(statement)
        try:
            number = self.region.manager.undo(statement.number, by="the test")
        except NotUndoable:
            assert undone is None
            return
        assert undone is not None
        undone.number = number
        self.undone += 1

    def repeat(self) -> None:
        if self.sent:
            message, accepted = self.r.choice(self.sent)
            if accepted:
                assert self.apply(message).repeated

    # ------------------------------------------------------------------ comparing

    def compare_feed(self, expected: list[Statement] | str, **given: Any) -> None:
        message = IdentityFeed(control_id=f"{self.seed}.{len(self.sent)}", **given)
        if isinstance(expected, str):
            with pytest.raises(FeedRejected) as refused:
                self.apply(message)
            assert refused.value.reason == expected
            self.refused += 1
            self.sent.append((message, False))
            return
        applied = self.apply(message)
        assert len(applied.facts) == len(expected)
        for statement, number in zip(expected, applied.facts, strict=True):
            statement.number = number
        self.sent.append((message, True))

    def apply(self, message: IdentityFeed) -> AppliedFeed:
        applied = apply_feed([self.region.manager, self.region.registry], message)
        assert isinstance(applied, Future)
        first: AppliedFeed = applied.result()[0]
        return first

    def compare(self) -> None:
        for name in self.names:
            expected = self.model.others(name)
            found = self.region.others(self.cx(name))
            assert (found if found is None else sorted(found)) == (
                expected if expected is None else sorted(id for _, id in expected)
            ), name
            if name[0] == AFFINITY:
                documents = self.region.documents(self.cx(name))
                assert documents == [str(self.cx(name))] * self.model.documents_of(name), name
            if self.model.active(name):
                assert self.visits(name) == self.model.visits_of(name), name
            if name in self.model.announced:
                assert self.family(name) == self.model.announced[name], name

    def visits(self, name: Name) -> list[tuple[str, str]]:
        asked = DemographicsQuery(criteria=PatientCriteria(identifiers=(self.cx(name),)), with_visits=True)
        found = [record.visit for record in self.supplier.find(asked).records if record.visit is not None]
        return sorted((visit.visit_number.id, visit.location[0]) for visit in found)

    def family(self, name: Name) -> str:
        number = number_of(self.cx(name).assigning_authority)
        found = self.region.manager.store.read(lambda reader: reader.identity(number, name[1], whole=True))
        assert found is not None
        return compact.decode(found.demographics).names[0].family_name


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
def test_manager_and_registry_answer_as_the_naive_model_does(region: Region, seed: int) -> None:
    sequence = Sequence(region, seed)
    for _ in range(STEPS):
        sequence.step()
        sequence.compare()
    if JOURNAL:
        counts = {"seed": seed, "steps": STEPS, "refused": sequence.refused, "undone": sequence.undone}
        with open(JOURNAL, "a") as journal:
            journal.write(json.dumps(counts) + "\n")
