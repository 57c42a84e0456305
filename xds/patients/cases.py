"""The form of the tables that say what is done in odd cases: docs/reference/feeds.md, and a test for each row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A situation and what becomes of it; ``answer`` is MSA-1 with ERR-3. ``test`` is a test of the same actor."""

    situation: str
    effect: str
    answer: str
    section: str
    test: str
