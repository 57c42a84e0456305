"""Results that have further pages, kept in bounded memory until they are cancelled or too old (ITI TF-2 3.21.4.3)."""

from __future__ import annotations

import secrets
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from xds.datatypes.hl7 import HD
from xds.patients.queries import UnknownContinuation
from xds.ports import Clock

_MOST_KEYS: Final = 1_000_000  # 8 MB
_MARK: Final = "P"  # between the name of a result and the place in it; no hexadecimal digit


@dataclass(slots=True)
class Held:
    """A result, and for whom it is kept. Each of its records is ``width`` numbers, the first an identity's key."""

    keys: Sequence[int]
    domains: frozenset[int] | None
    requester: tuple[HD, HD]
    tag: str
    width: int = 1
    name: str = field(default_factory=lambda: secrets.token_hex(12).upper())
    until: datetime | None = None

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.keys) // self.width

    def records(self, start: int, end: int) -> list[tuple[int, ...]]:
        """The numbers of each record from ``start`` until before ``end``."""
        w = self.width
        return [tuple(self.keys[n * w : n * w + w]) for n in range(start, end)]


class Continuations:
    """Results by their names. A pointer is a name and a place, so a page can be asked for again."""

    def __init__(self, *, keep: float, clock: Clock, most_keys: int = _MOST_KEYS) -> None:
        self._keep = timedelta(seconds=keep)
        self._clock = clock
        self._most_keys = most_keys
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._keys = 0
        self._lock = Lock()

    def keep(self, held: Held, place: int) -> str:
        """The pointer to ``place`` in a result, which is kept from now on for some time."""
        now = self._clock()
        with self._lock:
            if held.name not in self._held:
                held.keys = array("q", held.keys)
                self._held[held.name] = held
                self._keys += len(held.keys)
            held.until = now + self._keep
            self._held.move_to_end(held.name)
            self._drop(now)
        return f"{held.name}{_MARK}{place}"

    def find(self, pointer: str, requester: tuple[HD, HD]) -> tuple[Held, int]:
        """The result and the place; UnknownContinuation when it is not kept, or for somebody else."""
        name, mark, place = pointer.partition(_MARK)
        with self._lock:
            self._drop(self._clock())
            held = self._held.get(name)
        if held is None or held.requester != requester or not mark or not (place.isascii() and place.isdigit()):
            raise UnknownContinuation("the continuation pointer is not known")
        if int(place) >= len(held):
            raise UnknownContinuation("the continuation pointer is not known")
        return held, int(place)

    def cancel(self, requester: tuple[HD, HD], tag: str) -> None:
        """Forget what is kept for this query."""
        with self._lock:
            for held in [h for h in self._held.values() if h.requester == requester and h.tag == tag]:
                self._forget(held)

    def _drop(self, now: datetime) -> None:
        """Forget what is too old, then the least recently used until the rest fits."""
        while self._held:
            oldest = next(iter(self._held.values()))
            assert oldest.until is not None
            if oldest.until > now and (self._keys <= self._most_keys or len(self._held) == 1):
                return
            self._forget(oldest)

    def _forget(self, held: Held) -> None:
        del self._held[held.name]
        self._keys -= len(held.keys)
