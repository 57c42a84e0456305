"""Counters in the Prometheus text format: requests, how long they took, and what was tolerated.

One process, one set of counters. Labels are transaction numbers, outcomes and names of tolerances; never identifiers.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from xds.datatypes.prometheus import counter
from xds.datatypes.tolerances import ACCEPTED, Tolerances

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    """Thread-safe counters of one endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str], int] = {}
        self.tolerances = Tolerances(logging.getLogger("xds_soap"))
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def count(self, transaction: str, outcome: str, seconds: float) -> None:
        """One request is answered: by which transaction ("none" before it was known), how, and in what time."""
        with self._lock:
            key = (transaction, outcome)
            self._requests[key] = self._requests.get(key, 0) + 1
            buckets = self._buckets.get(transaction)
            if buckets is None:
                buckets = self._buckets[transaction] = [0] * (len(BUCKETS) + 1)
            buckets[bisect_left(BUCKETS, seconds)] += 1
            self._seconds[transaction] = self._seconds.get(transaction, 0.0) + seconds

    def requests(self, transaction: str, outcome: str) -> int:
        return self._requests.get((transaction, outcome), 0)

    def tolerated(self, name: str) -> int:
        return self.tolerances[name]

    def render(self) -> str:
        """All counters in the Prometheus text format, version 0.0.4."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# HELP xds_soap_requests_total SOAP requests by transaction and outcome."
        yield "# TYPE xds_soap_requests_total counter"
        for (transaction, outcome), number in sorted(self._requests.items()):
            yield f'xds_soap_requests_total{{transaction="{transaction}",outcome="{outcome}"}} {number}'
        yield from counter("xds_soap_tolerated_total", ACCEPTED, "what", self.tolerances.counts())
        yield "# HELP xds_soap_request_seconds Time from the end of the request to the start of the answer."
        yield "# TYPE xds_soap_request_seconds histogram"
        for transaction, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
                total += number
                yield f'xds_soap_request_seconds_bucket{{transaction="{transaction}",le="{bound}"}} {total}'
            yield f'xds_soap_request_seconds_sum{{transaction="{transaction}"}} {self._seconds[transaction]:.6f}'
            yield f'xds_soap_request_seconds_count{{transaction="{transaction}"}} {total}'
