"""Counters in the Prometheus text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def counter(name: str, meaning: str, label: str, counts: Mapping[str, int]) -> Iterator[str]:
    """The lines of one counter with one label, by the values of the label."""
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} counter"
    for value, number in sorted(counts.items()):
        yield f'{name}{{{label}="{value}"}} {number}'
