"""How a good message becomes a bad one. All follows from the random numbers given: input n is always the same."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

from lxml import etree

MOST = 60_000  # bytes of one input: what is large has tests of its own

_NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"99999999999999999999", b"1e9", b"NaN", b"01")
_BYTES = (b"\0", b"\xff", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x0b", b"\x1c", b'"', b"'", b"<", b"&", b"\xef\xbb\xbf")


def damaged(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Some changes of bytes."""
    for _ in range(1 + min(int(r.expovariate(0.5)), 8)):
        data = r.choice(_STEPS)(r, data, corpus, words)[:MOST]
    return data


Step = Callable[[random.Random, bytes, Sequence[bytes], Sequence[bytes]], bytes]


def _span(r: random.Random, data: bytes) -> tuple[int, int]:
    start = r.randrange(len(data) + 1)
    return start, min(len(data), start + min(int(r.expovariate(0.05)), 2000))


def _flip(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = r.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << r.randrange(8),)) + data[at + 1 :]


def _drop(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start, end = _span(r, data)
    return data[:start] + data[end:]


def _double(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start, end = _span(r, data)
    return data[:end] + data[start:end] * r.choice((1, 1, 1, 3, 50)) + data[end:]


def _move(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start, end = _span(r, data)
    rest = data[:start] + data[end:]
    at = r.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def _word(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = r.randrange(len(data) + 1)
    kind = r.random()
    word = r.choice(words) if kind < 0.6 and words else r.choice(_NUMBERS if kind < 0.8 else _BYTES)
    gone = r.choice((0, 0, 1, len(word)))
    return data[:at] + word + data[at + gone :]


def _swap_word(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    if not words:
        return data
    old = r.choice(words)
    at = data.find(old, r.randrange(len(data) + 1))
    return data if at < 0 else data[:at] + r.choice(words) + data[at + len(old) :]


def _splice(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    other = r.choice(corpus)
    return data[: r.randrange(len(data) + 1)] + other[r.randrange(len(other) + 1) :]


def _cut(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return data[: r.randrange(len(data) + 1)]


def _noise(r: random.Random, data: bytes, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = r.randrange(len(data) + 1)
    return data[:at] + r.randbytes(r.randrange(1, 12)) + data[at:]


_STEPS: Sequence[Step] = (_flip, _flip, _drop, _double, _move, _word, _word, _word, _swap_word, _splice, _cut, _noise)


# --------------------------------------------------------------------------- XML

TEXTS = (
    "",
    " ",
    "x",
    "0",
    "'",
    "('a','b')",
    "''",
    "%",
    "_%",
    "urn:uuid:00000000-0000-4000-8000-00000000000g",
    "URN:UUID:7EDCA82F-054D-47F2-A032-9B2A5B5186C1",
    "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    "19000101",
    "20260230",
    "20261332",
    "9" * 300,
    "a^b^c^&1.2.3&ISO",
    "^^^&&",
    "1.2.3.0004",
    "1." * 40 + "1",
    "\u5f20\u4f1f\u2028\U00020000",
    "\ufffd\u0301",
    "cid:",
    "cid:%",
    "http://127.0.0.1/",
    "]]>",
    "\r\n\t",
)
NAMESPACES = ("urn:x", "", "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0", "http://www.w3.org/2003/05/soap-envelope")


def rearranged(r: random.Random, root: etree._Element) -> bytes:
    """Some changes of elements, attributes and texts in a copy of a tree."""
    root = copy.deepcopy(root)
    for _ in range(1 + min(int(r.expovariate(0.5)), 8)):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        r.choice(_TREE_STEPS)(r, r.choice(elements), elements)
    return etree.tostring(root)


def _remove(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _repeat(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    parent = element.getparent()
    if parent is not None and len(elements) < 3000:
        for _ in range(r.choice((1, 1, 1, 2, 20))):
            parent.insert(r.randrange(len(parent) + 1), copy.deepcopy(element))


def _relocate(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    target: Any = r.choice(elements)
    if element.getparent() is not None and element not in target.iterancestors() and element is not target:
        target.insert(r.randrange(len(target) + 1), element)


def _rename(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    name = etree.QName(r.choice(elements))
    space = r.choice(NAMESPACES) if r.random() < 0.3 else name.namespace
    element.tag = f"{{{space}}}{name.localname}" if space else name.localname


def _set_text(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    element.text = r.choice(TEXTS) if r.random() < 0.7 else r.choice(elements).text


def _set_attribute(r: random.Random, element: etree._Element, elements: Sequence[etree._Element]) -> None:
    others = list(r.choice(elements).attrib.items())
    if element.attrib and r.random() < 0.7:
        key = r.choice(list(element.attrib))
        if r.random() < 0.2:
            del element.attrib[key]
            return
    elif others:
        key = r.choice(others)[0]
    else:
        return
    element.set(key, r.choice(others)[1] if others and r.random() < 0.4 else r.choice(TEXTS))


_TREE_STEPS = (_remove, _repeat, _relocate, _rename, _set_text, _set_text, _set_text, _set_attribute, _set_attribute)
