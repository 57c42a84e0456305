"""Names as they are compared in a search: without case, accents and blanks."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from xds.datatypes.hl7 import XPN


@lru_cache(4096)
def folded(text: str) -> str:
    """``text`` without case, accents, blanks and punctuation."""
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isalnum())


def search_keys(name: XPN) -> frozenset[str]:
    """Under which texts the parts of a name are found."""
    parts = (name.family_name, name.given_name)
    return frozenset(key for part in parts if part and (key := folded(part)))
