"""The library put together as ``xds serve`` runs it: store, actors, SOAP and HL7 v2 endpoints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xds.bridge import Bridge, LocalTarget, Mapping, MappingError, bridge_transactions
from xds.clients.registrar import RemoteRegistrar
from xds.datatypes.prometheus import counter
from xds.datatypes.tolerances import ACCEPTED
from xds.errors import StoreUnavailable
from xds.matching import ProfileError, matcher_of
from xds.metadata.codes import CodeTable
from xds.patients.domains import Domains
from xds.pdq import PatientDemographicsSupplier
from xds.pix import Outbox, PatientIdentifierCrossReferenceManager, Policy
from xds.ports import Reader
from xds.registry.actor import AffinityDomain, DocumentRegistry
from xds.repository.actor import DocumentRepository
from xds.stores import open_store
from xds.stores.store import SqlStore
from xds.transactions.base import Hl7v2Transaction
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.vocab.actors import Actor
from xds_cli import tabled, tables
from xds_cli.config import Settings, StartError
from xds_cli.notifying import Notifying
from xds_cli.resolving import Resolver
from xds_mllp.endpoint import Endpoint
from xds_soap.asgi import SoapApp
from xds_soap.client import SoapExchange
from xds_soap.delivery import HttpReplyDelivery
from xds_soap.endpoint import SoapEndpoint
from xds_soap.limits import MIB

log = logging.getLogger("xds.serve")

_UNUSUAL = "Identity feeds in which something was out of the ordinary."
# an identifier no patient has: looking it up shows that the store answers
_NOBODY = "ready?^^^&0.0&ISO"


@dataclass(frozen=True, slots=True)
class Remote:
    """The way to a registry in another system, and what asks it about doubts."""

    exchange: SoapExchange
    resolver: Resolver

    def close(self) -> None:
        self.resolver.close()
        self.exchange.close()


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process serves with."""

    store: SqlStore
    app: SoapApp
    feed: Endpoint
    delivery: HttpReplyDelivery | None
    remote: Remote | None = None
    notifying: Sequence[Notifying] = ()

    def close(self) -> None:
        """After the last answer: finish what is queued, then close the store."""
        self.app.close()
        for consumer in self.notifying:
            consumer.close()
        if self.remote is not None:
            self.remote.close()
        if self.delivery is not None:
            self.delivery.close()
        self.store.close()


def open_parts(settings: Settings, *, writer: bool = True) -> Parts:
    """Open the store and put the actors on it; raises StartError.

    With ``writer`` off the process leaves the writing of an embedded store to the one that called ``open_writer``.
    """
    codes = _codes(settings)
    rules = _rules(settings, codes)
    store = _open(settings, writer=writer, shared=True)
    if settings.register_at is not None:
        return _in_front_of(settings.register_at, settings, store)
    registry = DocumentRegistry(store, domain=rules.affinity, codes=codes)
    manager = PatientIdentifierCrossReferenceManager(store, domains=rules.domains, policy=rules.policy)
    supplier = PatientDemographicsSupplier(store, domains=rules.domains)
    repository = DocumentRepository(store, registry, unique_id=settings.repository_unique_id)
    actors: dict[Actor, object] = {Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository}
    delivery = _delivery(settings)

    def tolerances() -> str:
        lines = (
            *counter("xds_registry_tolerated_total", ACCEPTED, "what", registry.tolerated.counts()),
            *counter("xds_pix_tolerated_total", _UNUSUAL, "what", manager.tolerated.counts()),
        )
        return "\n".join((*lines, ""))

    feed = Endpoint(
        [manager, registry, supplier],
        feeds=tabled.feeds(settings.tables),
        transactions=_hl7v2_transactions(settings, repository),
        bury=manager.bury,
    )
    outbox = Outbox(store, domains=rules.domains)
    if writer:
        outbox.recover()
    return Parts(
        store,
        _app(settings, actors, store, delivery, feed, [tolerances]),
        feed,
        delivery,
        notifying=[Notifying(outbox, peer) for peer in rules.consumers],
    )


@dataclass(frozen=True, slots=True)
class IdentityParts:
    """What a command works with that looks after patient identities."""

    manager: PatientIdentifierCrossReferenceManager
    outbox: Outbox
    endpoint: Endpoint


@contextmanager
def open_identities(settings: Settings) -> Iterator[IdentityParts]:
    """The identities in a server's store; if the server runs, its writer does the work. Raises StartError."""
    rules = _rules(settings, None)
    try:
        store = _open(settings, writer=False, shared=False)
    except StartError:
        store = _open(settings, writer=True, shared=False)
    try:
        manager = PatientIdentifierCrossReferenceManager(store, domains=rules.domains, policy=rules.policy)
        registry = DocumentRegistry(store, domain=rules.affinity)
        endpoint = Endpoint([manager, registry], feeds=tabled.feeds(settings.tables))
        yield IdentityParts(manager, Outbox(store, domains=rules.domains), endpoint)
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the settings say of patients; no store is needed to know it."""

    domains: Domains
    policy: Policy
    affinity: AffinityDomain
    consumers: Sequence[tabled.ConsumerPeer]


def _rules(settings: Settings, codes: CodeTable | None) -> _Rules:
    """Raises StartError for whatever cannot be used."""
    try:
        matcher = matcher_of(settings.matching)
    except ProfileError as error:
        raise StartError(f"--matching: {error}") from None
    try:
        domains = tabled.domains(settings.tables, settings.domain, matcher)
    except ValueError as error:
        raise StartError(f"[[identifier_domain]] cannot be used: {error}") from None
    try:
        consumers = tabled.pix_consumers(settings.tables, domains)
        affinity = AffinityDomain(
            assigning_authority=settings.domain,
            patients="any" if settings.patients == "any" else "known",
            home_community_id=settings.home_community_id,
            max_results=settings.max_results,
            merges="manager",
            translate=tables.only(settings.tables, "pix")["translate"],
            link_changes=tabled.link_changes(settings.tables, domains, codes),
        )
        policy = tabled.policy(settings.tables, [peer.consumer for peer in consumers], matcher)
    except tables.TableError as error:
        raise StartError(str(error)) from None
    return _Rules(domains, policy, affinity, consumers)


def _hl7v2_transactions(settings: Settings, repository: DocumentRepository) -> list[Hl7v2Transaction]:
    rows = list(HL7V2_TRANSACTIONS)
    if settings.bridge is not None:
        bridge = Bridge(_mapping(settings.bridge), settings.domain)
        rows += bridge_transactions(bridge, LocalTarget(repository))
    return rows


def _mapping(path: Path) -> Mapping:
    try:
        return Mapping.load(path)
    except OSError as error:
        raise StartError(f"--bridge {path}: {error.strerror}; name a file that can be read") from None
    except MappingError as error:
        raise StartError(f"--bridge {path} is no mapping: {error}") from None


def _app(
    settings: Settings,
    actors: dict[Actor, object],
    store: SqlStore,
    delivery: HttpReplyDelivery | None,
    feed: Endpoint,
    more: Sequence[Callable[[], str]] = (),
) -> SoapApp:
    limits = tables.only(settings.tables, "soap")
    return SoapApp(
        SoapEndpoint(actors, store, delivery=delivery, limits=tabled.soap_limits(settings.tables)),
        max_waiting=limits["waiting"],
        gathered=limits["gathered_mb"] * MIB,
        body_time=limits["body_time"],
        ready=lambda: store.read(_look),
        metrics=[feed.metrics, *more],
    )


def _in_front_of(url: str, settings: Settings, store: SqlStore) -> Parts:
    """A repository alone: its registry, and the patient identity feed, are another system's."""
    if settings.bridge is not None:
        raise StartError("--bridge needs the registry in this process: leave --register-at out")
    timeout = tables.only(settings.tables, "registry")["timeout"]
    exchange = SoapExchange(url, timeout=timeout, ssl_context=tabled.registry_context(settings.tables))
    registrar = RemoteRegistrar(exchange)
    repository = DocumentRepository(store, registrar, unique_id=settings.repository_unique_id)
    delivery = _delivery(settings)
    feed = Endpoint([], feeds=tabled.feeds(settings.tables))
    app = _app(settings, {Actor.DOCUMENT_REPOSITORY: repository}, store, delivery, feed)
    log.info("documents are registered at another system; no registry is served here")
    return Parts(store, app, feed, delivery, Remote(exchange, Resolver(repository, registrar)))


def _look(reader: Reader) -> None:
    reader.patient(_NOBODY)


def _delivery(settings: Settings) -> HttpReplyDelivery | None:
    if not settings.reply_to:
        return None
    hosts = [host for host in settings.reply_to if host != "same-host"]
    return HttpReplyDelivery(allow=hosts, same_host=len(hosts) < len(settings.reply_to))


def _codes(settings: Settings) -> CodeTable | None:
    if settings.codes is None:
        return None
    try:
        return CodeTable.load(settings.codes)
    except OSError as error:
        raise StartError(f"--codes {settings.codes}: {error.strerror}; name a file that can be read") from None
    except ValueError as error:
        raise StartError(f"--codes {settings.codes} is no code table: {error}") from None


# --------------------------------------------------------------------------- the store


def open_writer(settings: Settings) -> SqlStore:
    """The store of the process that writes for others; raises StartError."""
    rules = _rules(settings, None)
    store = _open(settings, writer=True, shared=True)
    Outbox(store, domains=rules.domains).recover()
    return store


def _open(settings: Settings, *, writer: bool, shared: bool) -> SqlStore:
    _make_folders(settings)
    with _explained(settings):
        return open_store(settings.database, documents=settings.documents, writer=writer, shared=shared)


def _make_folders(settings: Settings) -> None:
    for flag, folder in (("--data", settings.data), ("--documents", settings.documents)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"{flag} {folder}: {error.strerror}; name a folder that can be written") from None


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """What opening a store may raise, as a StartError that says what to change."""
    try:
        yield
    except StoreUnavailable as error:
        raise StartError(f"{_where(settings)}: {error}") from None
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("psycopg"):
            raise StartError("the PostgreSQL driver is not installed: pip install 'ihe-xds[postgres]'") from None
        raise
    except OSError as error:
        raise StartError(f"{_where(settings)}: {error.strerror}; name a folder that can be written") from None


def _where(settings: Settings) -> str:
    embedded = settings.database == f"sqlite:///{settings.data / 'registry.sqlite'}"
    return f"--data {settings.data}" if embedded else "--database"
