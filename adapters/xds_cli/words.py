"""What somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], cutoff: float = 0.5) -> str:
    """``; did you mean …?`` for the most similar of ``words``, or nothing."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]}?" if near else ""
