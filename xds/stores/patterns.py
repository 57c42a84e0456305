"""LIKE patterns of stored queries (ITI TF-2, 3.18.4.1.2.3.3), matched here and not in SQL: the same on every database.

``%`` stands for any run of characters, ``_`` for one; there is no escape character. Matching is case-sensitive and
covers the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from xds.stores.schema import SEPARATOR


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that is true for values the pattern matches.

    Runs of ``%`` are matched from left to right without going back, so a hostile pattern costs no more than its length
    times the value's.
    """
    pieces = [re.escape(piece).replace("_", ".") for piece in re.split("%+", pattern)]
    if len(pieces) == 1:
        return re.compile(pieces[0], re.DOTALL).fullmatch
    first, *middle, last = pieces
    # an atomic group per piece: the first place where a piece fits is as good as any later one
    searched = "".join(f"(?>.*?{piece})" for piece in middle)
    return re.compile(f"{first}{searched}.*{last}", re.DOTALL).fullmatch


def matches(packed: str | None, patterns: Iterable[str]) -> bool:
    """Whether any of the values packed in a column matches any of the patterns."""
    if not packed:
        return False
    values = packed.split(SEPARATOR)
    return any(matcher(pattern)(value) is not None for pattern in patterns for value in values)


def matches_each(packed: str | None, groups: Sequence[Iterable[str]]) -> bool:
    """Whether every group has a pattern that matches one of the packed values."""
    return all(matches(packed, patterns) for patterns in groups)
