"""What a message may cost is checked on its bytes, before a tree is built of them (DESIGN D10)."""

from __future__ import annotations

import codecs
import re
from typing import Final

from xds.errors import MalformedMessage, MessageTooLarge

MAX_CARRIAGE_RETURNS: Final = 400_000  # base64 with a CR LF every 76 bytes has 150,000 in 11 MB
MAX_MARKUP: Final = 65_536  # bytes of one tag
MAX_COMMENTS: Final = 2**20  # bytes of all comments and processing instructions
MAX_CDATA: Final = 4 * 2**20  # bytes of all CDATA sections
MAX_REFERENCES: Final = 400_000  # "&" characters: character references and the five predefined entities


def check_counts(data: bytes, max_size: int, max_tags: int, max_attributes: int) -> int:
    """Number of tags and attributes at most, counted on the bytes: a tree of 100,000 elements costs 30 MB."""
    tags, attributes = data.count(b"<"), data.count(b"=")
    for count, limit, what in (
        (len(data), max_size, "bytes"),
        (tags, max_tags, "tags"),
        (attributes, max_attributes, "attributes"),
        (data.count(b"&"), MAX_REFERENCES, "character references"),
        (data.count(b"\r"), MAX_CARRIAGE_RETURNS, "carriage returns"),
    ):
        if count > limit:
            raise MessageTooLarge(f"the XML has more than {limit} {what}")
    return tags + attributes


def check_markup(data: bytes, tags: int) -> None:
    """Refuse megabytes where no message has them: libxml2 needs up to ten times as long for them as for text."""
    comments = sections = position = 0
    for start in _specials(data, tags):
        if start < position:
            continue  # inside the one before
        closing = b"]]>" if data.startswith(b"<![CDATA[", start) else b"?>" if data[start + 1] == _ASK else b"-->"
        end = data.find(closing, start + 2, start + 2 * MAX_CDATA)
        position = end + len(closing) if end >= 0 else len(data)
        if closing == b"]]>":
            sections += position - start
        else:
            comments += position - start
    if comments > MAX_COMMENTS:
        raise MessageTooLarge(f"the XML has more than {MAX_COMMENTS} bytes of comments")
    if sections > MAX_CDATA:
        raise MessageTooLarge(f"the XML has CDATA sections of more than {MAX_CDATA} bytes; send documents with MTOM")
    if len(data) > _LARGE:
        _check_tags(data)
        # each costs an error message, and libxml2 goes on to the last one
        if any(character in data for character in _CONTROLS):
            raise MalformedMessage("the XML has characters that XML does not allow")
        if not data.isascii():
            _check_utf8(data)


def _check_utf8(data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _LARGE):
            decoder.decode(data[start : start + _LARGE])
    except UnicodeDecodeError:
        raise MalformedMessage("the XML has bytes that are not in its character encoding") from None


def _specials(data: bytes, tags: int) -> list[int]:
    """Where comments, processing instructions and CDATA sections begin."""
    found: list[int] = []
    # one byte is found several times as fast as two
    needles = (b"<!", b"<?") if tags > len(data) // 500 else (b"<",)
    for needle in needles:
        position = data.find(needle)
        while position >= 0:
            if data[position + 1 : position + 2] in (b"!", b"?"):
                found.append(position)
                if len(found) > _MANY:
                    raise MessageTooLarge(f"the XML has more than {_MANY} comments or CDATA sections")
            position = data.find(needle, position + 1)
    return sorted(found)


def _check_tags(data: bytes) -> None:
    # whatever is as long as MAX_MARKUP and has no "<" in it has one of these windows in it
    window = MAX_MARKUP // 2
    position = 0
    while position + window <= len(data):
        if data.find(b"<", position, position + window) >= 0:
            position += window
            continue
        start = data.rfind(b"<", 0, position)
        special = start < 0 or data[start + 1 : start + 2] in (b"!", b"?")
        if not special and _TAG(data, start, start + MAX_MARKUP) is None:
            raise MessageTooLarge(f"the XML has a tag of more than {MAX_MARKUP} bytes")
        following = data.find(b"<", position)
        if following < 0:
            return
        position = following - following % window


_LARGE: Final = 2**18
_ASK: Final = ord("?")
_CONTROLS: Final = tuple(bytes((code,)) for code in range(32) if code not in b"\t\n\r")
_MANY: Final = 10_000
_TAG: Final = re.compile(rb"""<[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""").match
