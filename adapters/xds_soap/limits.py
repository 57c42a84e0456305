"""How much one request may cost before it is known to be worth it (DESIGN D5, D10)."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from xds.errors import MessageTooLarge, StoreUnavailable

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes. Documents are streams and only bounded by ``request``."""

    request: int = 4096 * MIB  # a whole request after decompression; above: HTTP 413
    envelope: int = 16 * MIB  # the SOAP envelope, or the root part of a package
    early_parts: int = 32 * MIB  # parts of one request that come before its root part
    early_parts_total: int = 32 * MIB  # the same over all requests in progress
    parts: int = 1000  # parts of one package
    part_headers: int = 64 * 1024  # headers of one part
    small: int = MIB  # a request up to this size is gathered in memory and handled in one go


class Quota:
    """Bytes that all requests in progress share. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        with self._lock:
            if self._used + size > self._limit:
                raise StoreUnavailable("too much is waiting for its envelope")
            self._used += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size

    @property
    def used(self) -> int:
        return self._used


def check(size: int, limit: int, what: str) -> None:
    """Raise MessageTooLarge when ``what`` has passed its limit."""
    if size > limit:
        raise MessageTooLarge(f"{what} is larger than {limit} bytes")
