"""Loading a whole registry: very many submissions through the rules and the writer of every day.

::

    for progress in bulk_load(registry, read_from, name="migration of 2026"):
        print(progress.number, *progress.refused)

An existing registry moves over as it grew: its patients, then its submissions from the oldest to the newest, so that
what was replaced becomes Deprecated again by what replaced it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from xds.errors import RequestRejected
from xds.metadata.registry_object import Submission
from xds.patients.feed import FeedRejected, IdentityFeed
from xds.ports import Reader, Transaction, UnitOfWork
from xds.registry.actor import DocumentRegistry

#: Submissions of one commit. More are no faster: SQLite keeps what a savepoint changed in a list, and walks it after
#: every statement (1,000 cost 1.7 times as much each). The writer is taken for as long as they need, some 50 ms.
BATCH: Final = 100
#: Notes by name: how many of the items are dealt with.
LOADING: Final = "bulk-load"

Item = Submission | IdentityFeed
_Work = Callable[[Transaction], object]


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that the rules refused, by its number from 0, and every reason."""

    number: int
    error: RequestRejected | FeedRejected


@dataclass(frozen=True, slots=True)
class Progress:
    """All before ``number`` are dealt with and on disk; ``refused`` are those of the last batch that were refused."""

    number: int
    refused: tuple[Refused, ...] = ()


def bulk_load(
    registry: DocumentRegistry, source: Callable[[int], Iterable[Item]], *, name: str, batch: int = BATCH
) -> Iterator[Progress]:
    """Register many submissions, and announce patients; progress after every batch, when it is on disk.

    ``source`` is called once, with the number of the item to begin with: 0, or, when a load of this ``name`` was
    interrupted, the first that is not on disk. What the load has done is noted in the transaction that does it, so
    nothing is left out and nothing done twice. Items take effect in their order. One that is refused is reported and
    left out; its neighbours are not affected.

    Every rule of ITI-42 holds. The registry may serve meanwhile; its other writes wait for one batch at a time. The
    caller's thread prepares a batch and waits while it is written: to use several cores, load several names.
    """
    number = loaded(registry.store, name)
    items = iter(source(number))
    while group := list(islice(items, batch)):
        refused: list[Refused] = []
        works: list[tuple[int, _Work]] = []
        for at, item in enumerate(group, number):
            try:
                works.append((at, _plan(registry, item)))
            except (RequestRejected, FeedRejected) as error:
                refused.append(Refused(at, error))
        number += len(group)
        refused += _write(registry.store, name, works, number)
        yield Progress(number, tuple(sorted(refused, key=lambda one: one.number)))


def loaded(store: UnitOfWork, name: str) -> int:
    """How many items the load of this name has dealt with."""
    return store.read(partial(_noted, name))


def _noted(name: str, reader: Reader) -> int:
    return next((int(content) for key, content in reader.journal(LOADING) if key == name), 0)


def _plan(registry: DocumentRegistry, item: Item) -> _Work:
    return registry.plan(item) if isinstance(item, Submission) else registry.plan_feed(item)


class _Stopped(Exception):
    """The work at ``index`` of a batch was refused, and the batch undone with it."""

    def __init__(self, index: int, error: RequestRejected | FeedRejected) -> None:
        super().__init__(index, error)
        self.index = index
        self.error = error


def _write(store: UnitOfWork, name: str, works: Sequence[tuple[int, _Work]], number: int) -> Iterator[Refused]:
    """Commit the works; those before a refused one go first, those after it follow."""
    while True:
        try:
            store.transaction(partial(_perform, name, [work for _, work in works], number))
        except _Stopped as stopped:
            at = works[stopped.index][0]
            store.transaction(partial(_perform, name, [work for _, work in works[: stopped.index]], at + 1))
            yield Refused(at, stopped.error)
            works = works[stopped.index + 1 :]
        else:
            return


def _perform(name: str, works: Sequence[_Work], number: int, transaction: Transaction) -> None:
    for index, work in enumerate(works):
        try:
            work(transaction)
        except (RequestRejected, FeedRejected) as error:
            raise _Stopped(index, error) from None
    transaction.write_journal(LOADING, name, b"%d" % number)
