"""Words of settings: what they may be, and what somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from xds.datatypes.ids import is_oid


def nearest(word: str, words: Iterable[str], cutoff: float = 0.5) -> str:
    """``; did you mean …?`` for the most similar of ``words``, or nothing."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]}?" if near else ""


# --------------------------------------------------------------------------- readers: ValueError says what to write


def count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("write a whole number from 1")
    return int(text)


def oid(text: str) -> str:
    if not is_oid(text):
        raise ValueError("write an OID of at most 64 characters, for example 1.3.6.1.4.1.21367.13.20.1000")
    return text


def one_of_or_file(*choices: str, suffix: str) -> Callable[[str], str]:
    """One of these words, or the path of a file that ends so."""
    word = one_of(*choices)
    return lambda text: text if text.endswith(suffix) else word(text)


def one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}{nearest(text, choices)}")
        return text

    return read
