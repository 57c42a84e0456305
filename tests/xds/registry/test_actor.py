from __future__ import annotations

import pytest

from tests.xds.registry.build import AUTHORITY, entry, submission
from xds.datatypes.hl7 import CX
from xds.errors import StoreUnavailable
from xds.patients.feed import IdentityFeed
from xds.ports import StoreRegistrar, UnitOfWork
from xds.registry import AffinityDomain, AppliedFeed, DocumentRegistry
from xds.vocab.hl7 import FeedEvent

NEW = f"NEW^^^&{AUTHORITY}&ISO"
LOCAL = "MRN1^^^&1.2.3.4&ISO"


def feed(*identifiers: str, event: FeedEvent = FeedEvent.ADMIT, prior: str = "") -> IdentityFeed:
    return IdentityFeed(
        event=event,
        identifiers=tuple(CX.parse(i) for i in identifiers),
        prior_identifiers=(CX.parse(prior),) if prior else (),
    )


def known(registry: DocumentRegistry, identifier: str) -> bool:
    return registry.store.read(lambda reader: reader.patient(identifier)) is not None


def test_the_domains_identifiers_become_known_and_others_do_not(registry: DocumentRegistry) -> None:
    assert registry.apply_feed(feed(LOCAL, NEW)).result() == AppliedFeed((NEW,), (NEW,))
    assert known(registry, NEW)
    assert not known(registry, LOCAL)
    registry.register(submission(entry(patient=NEW)))


def test_a_repeated_feed_announces_nothing(registry: DocumentRegistry) -> None:
    registry.apply_feed(feed(NEW)).result()
    assert registry.apply_feed(feed(NEW, event=FeedEvent.UPDATE)).result() == AppliedFeed((NEW,), ())


def test_a_feed_of_another_domain_is_no_error(registry: DocumentRegistry) -> None:
    assert registry.apply_feed(feed(LOCAL)).result() == AppliedFeed((), ())


def test_a_domain_without_authority_takes_every_identifier(store: UnitOfWork) -> None:
    registry = DocumentRegistry(store, domain=AffinityDomain(assigning_authority=None))
    assert registry.apply_feed(feed(LOCAL, NEW)).result().announced == (LOCAL, NEW)


def test_a_registry_can_work_in_its_repositorys_transaction(registry: DocumentRegistry) -> None:
    assert isinstance(registry, StoreRegistrar)


def test_a_closed_store_takes_no_submissions(registry: DocumentRegistry) -> None:
    registry.store.close()
    with pytest.raises(StoreUnavailable):
        registry.register(submission(entry()))
