"""Identities as the store keeps them, the facts that relate them, and the ports by which actors read and write both.

An *identity* is one identifier of one domain with what its source last said. A *fact* says that two identities are one
person's, or are not, or that one ended in the other: with time, origin and reason. Facts are added and never changed;
an undo is a fact about a fact. Which identities make up a person, and which of them are active, follows from the facts
(``xds.patients.crossref``) and is kept beside each identity for quick reading (DESIGN D12).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

from xds.datatypes.hl7 import HD

IdentityKey = int


class IdentityState(IntEnum):
    """The numbers are stored: they never change."""

    ACTIVE = 1
    SUBSUMED = 2  # by a merge, or given up for another identifier
    ABSENT = 3  # named by a fact only, or by one that was undone: unknown to everybody who asks


class FactKind(IntEnum):
    """What a fact says of ``subject`` and ``other``. The numbers are stored: they never change."""

    MERGE = 1  # subject ended, other survives (A40, A18, A34, A36)
    CHANGE = 2  # subject was given up for other (A47)
    LINK = 3  # one person's (A24, an operator)
    UNLINK = 4  # not, or no longer, one person's (A37, an operator)
    TOGETHER = 5  # a message named both as its patient's (PID-3)
    MATCH = 6  # a matcher found them to be one person's
    REVIEW = 7  # a matcher is in doubt: for people to decide
    UNDO = 8  # the fact ``undone`` no longer holds

    @property
    def ends(self) -> bool:
        """The subject ends in the other."""
        return self in (FactKind.MERGE, FactKind.CHANGE)

    @property
    def joins(self) -> bool:
        """Both are one person's, as far as nothing stronger says otherwise."""
        return self in _JOINING


_JOINING = frozenset((FactKind.MERGE, FactKind.CHANGE, FactKind.LINK, FactKind.TOGETHER, FactKind.MATCH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of the history. ``number`` orders them; 0 until it is recorded."""

    kind: FactKind
    subject: IdentityKey
    other: IdentityKey
    time: int  # YYYYMMDDhhmmss, UTC
    origin: str  # who: "feed HIS|H01", "operator …", "matcher ids"
    cause: str = ""  # which message or decision: trigger and MSH-10
    reason: str = ""
    undone: int | None = None  # UNDO only: the number of the fact that no longer holds
    number: int = 0


@dataclass(slots=True)
class Identity:
    """One identifier of one domain, as the store keeps it."""

    key: IdentityKey
    domain: int  # Domain.number
    id: str
    state: IdentityState
    announced: bool  # a source told its demographics; otherwise only facts name it
    person: IdentityKey | None = None  # the least key of the person's identities; None when it is the only one
    survivor: IdentityKey | None = None  # in which it ended
    stamps: bytes = b""  # per source the moment of the newest demographics, see ``xds.patients.stamps``
    quoted: str = ""  # identifiers of trusted domains that came with it
    demographics: bytes = b""  # see ``xds.patients.compact``; b"" when it was not asked for

    @property
    def active(self) -> bool:
        return self.state is IdentityState.ACTIVE

    @property
    def group(self) -> IdentityKey:
        """What all identities of the person have in common."""
        return self.key if self.person is None else self.person


#: Visits of one identity that are kept: the newest.
MOST_VISITS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVisit:
    """A visit of an identity, as last heard of.

    ``number`` stands for its visit number, PV1-19, with the authority; it is 0 for the one visit without a number.
    """

    identity: IdentityKey
    number: int
    began: int  # YYYYMMDDhhmmss: PV1-44, else when it was first told of
    heard: int  # when it was last told of, in milliseconds since 1970
    stamps: bytes = b""  # as those of demographics
    visit: bytes = b""  # see ``xds.patients.compact_visit``

    @property
    def age(self) -> tuple[int, int, int, int]:
        """What orders visits: greater is newer."""
        return self.began, self.heard, self.number, self.identity


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of the outbox: ``consumer`` is to be told about the person whose identity ``identity`` is (ITI-10)."""

    number: int
    consumer: str
    identity: IdentityKey
    attempts: int
    due: int  # seconds since 1970


#: Dead letters that are kept while nobody deals with them.
MOST_LETTERS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that could not be applied, kept as it came. ``settled`` is empty while nobody has dealt with it."""

    time: int  # YYYYMMDDhhmmss, UTC
    sender: str  # MSH-3 and MSH-4
    control_id: str
    reason: str  # without patient data
    message: bytes
    settled: str = ""
    number: int = 0


class IdentityReader(Protocol):
    """Reads of identities, on the snapshot of a ``ports.Reader``."""

    def identity(self, domain: int, id: str, *, whole: bool = False) -> Identity | None:
        """The identity with this identifier, in any state; with its demographics when ``whole``."""

    def identities(self, keys: Collection[IdentityKey], *, whole: bool = False) -> list[Identity]:
        """The identities with these keys, by key."""

    def persons(self, groups: Collection[IdentityKey], *, whole: bool = False) -> list[Identity]:
        """All identities of these persons, in any state, by key; a person is named by ``Identity.group``."""

    def facts(self, keys: Collection[IdentityKey]) -> list[Fact]:
        """Every fact that names one of these identities, oldest first."""

    def fact(self, number: int) -> Fact | None: ...

    def reviews(self, limit: int) -> list[Fact]:
        """The oldest facts of kind REVIEW, decided or not."""

    def with_terms(self, terms: Sequence[str], *, after: IdentityKey = 0, limit: int) -> list[IdentityKey]:
        """Identities that have all these terms, by key; ``*`` at the end of the first one stands for anything."""

    def with_any_term(self, terms: Collection[str], *, limit: int) -> list[tuple[str, IdentityKey]]:
        """Which of these terms which identities have, in no order; at most so many."""

    def visits(self, keys: Collection[IdentityKey]) -> list[KeptVisit]:
        """The visits of these identities, in no order."""

    def visited(self, *, after: IdentityKey, limit: int) -> list[IdentityKey]:
        """Identities, in any state, of which visits are known, by key."""

    def all_identities(self, *, after: IdentityKey, limit: int) -> list[IdentityKey]:
        """Keys of active identities, by key."""

    def learned_domains(self) -> list[HD]:
        """Assigning authorities of identities that came without being configured."""

    def dead_letters(self, *, settled: bool = False, limit: int = 100) -> list[DeadLetter]:
        """The oldest ones, without their messages."""

    def dead_letter(self, number: int) -> DeadLetter | None: ...

    def notifications(self, *, dead: bool = False, limit: int = 100) -> list[Notification]:
        """What waits in the outbox, or what was given up."""


class IdentityWriter(IdentityReader, Protocol):
    """Reads and writes of identities, in the one transaction of a ``ports.Transaction``."""

    def lock_structure(self) -> None:
        """Nobody else adds facts until this work is done. To be called before identities are locked."""

    def lock_terms(self, terms: Iterable[str]) -> None:
        """Nobody else who calls this with one of the terms goes on until this work is done."""

    def lock_identity(self, domain: int, id: str) -> Identity | None:
        """As ``identity``, whole, and nobody else changes it until this work is done."""

    def insert_identity(self, identity: Identity) -> IdentityKey | None:
        """A new identity, whose ``key`` is not looked at; the key it has got, None when another was quicker."""

    def update_identity(self, identity: Identity) -> None:
        """Store announced, stamps, quoted and demographics."""

    def stamp_identity(self, key: IdentityKey, stamps: bytes) -> None: ...

    def place_identity(
        self, key: IdentityKey, state: IdentityState, survivor: IdentityKey | None, person: IdentityKey | None
    ) -> None:
        """Store what follows from the facts."""

    def add_terms(self, key: IdentityKey, terms: Collection[str]) -> None: ...

    def remove_terms(self, key: IdentityKey, terms: Collection[str]) -> None: ...

    def put_visit(self, visit: KeptVisit) -> None:
        """Keep a visit in place of what was known of it."""

    def remove_visits(self, identity: IdentityKey, numbers: Collection[int]) -> None: ...

    def learn_domain(self, authority: HD, number: int) -> None: ...

    def record(self, fact: Fact) -> int:
        """Add a fact to the history; its number."""

    def receive(self, message: int, content: int, now: int, since: int) -> tuple[bool, bool]:
        """Note a message by hashes of who sent which control id, and of what it says; times in seconds since 1970.

        Whether it is new (not received after ``since``), and whether the same control id came with other content.
        """

    def forget_messages(self, before: int, limit: int) -> None:
        """Remove the oldest notes of ``receive``."""

    def place_patient(self, identifier: str, survivor: str | None, *, known: bool) -> None:
        """What the affinity domain's registry is to hold of a patient identifier: active, subsumed by ``survivor``
        (the last one of a chain), or not known; one that has documents stays known.
        """

    def subsume_patient(self, identifier: str, survivor: str) -> None:
        """An active patient identifier, and everybody who ended in it before, ends in this one, which is active."""

    def tangled(self, ones: Collection[str], others: Collection[str]) -> bool:
        """Whether an Association joins objects submitted under some of these patient identifiers with objects
        submitted under the others.
        """

    def has_documents(self, identifier: str) -> bool:
        """Whether objects were submitted under this patient identifier."""

    def notify(self, consumer: str, identity: IdentityKey, now: int) -> None:
        """Put a notification into the outbox; one that waits there for the same consumer and identity will do."""

    def claim_notifications(self, consumer: str, now: int, limit: int) -> list[Notification]:
        """Take notifications that are due; of each identity one at a time, in order."""

    def end_notification(self, number: int) -> None:
        """It was delivered."""

    def return_notification(self, number: int, due: int) -> None:
        """It was not: try again later."""

    def give_up_notification(self, number: int) -> None:
        """It cannot be delivered; later ones about the same identity wait until somebody has dealt with it."""

    def release_notifications(self) -> None:
        """What was claimed by a process that is gone waits again."""

    def bury(self, letter: DeadLetter) -> int:
        """Keep a message that could not be applied; its number, which is that of the same message if it waits already.

        StoreUnavailable when ``MOST_LETTERS`` wait.
        """

    def settle_dead_letter(self, number: int, how: str) -> None: ...


@dataclass(slots=True)
class Resolution:
    """What follows from the facts about some identities."""

    persons: dict[IdentityKey, IdentityKey | None] = field(default_factory=dict)
    survivors: dict[IdentityKey, IdentityKey] = field(default_factory=dict)
