"""What was accepted although it is not as the standard says: counted, and said in the log now and then.

A legacy system departs from the standard in each of its messages. The first time is worth a line, and so are the tenth,
the hundredth and so on; the counters tell the rest.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Final

#: What the counters of tolerances mean, for those who watch them.
ACCEPTED: Final = "Departures from the specification that were accepted."


class Tolerances:
    """Thread-safe counters by the name of the departure."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, names: Iterable[str], peer: str | None = None) -> None:
        """One message departed in these ways. ``peer`` is where it came from, for the log."""
        for name in names:
            with self._lock:
                self._counts[name] += 1
                number = self._counts[name]
            if number == 10 ** (len(str(number)) - 1):
                self._log.info("tolerated: %s, %d so far, the last from %s", name, number, peer or "an unknown peer")

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All counters, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
