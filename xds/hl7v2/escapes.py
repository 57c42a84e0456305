"""Delimiters and escape sequences of ER7 (HL7 v2.5 chapter 2.7, ITI TF-2 C.2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from xds.errors import MessageTooLarge
from xds.hl7v2.errors import Hl7Error, Location, MalformedHl7
from xds.vocab.hl7 import Hl7ErrorCode

# what cannot stand in a message as itself: the segment terminator, its look-alike, and the frame bytes of MLLP
_CONTROLS: Final = {"\r": "X0D", "\n": "X0A", "\x0b": "X0B", "\x1c": "X1C"}
_RECOMMENDED: Final = "^~\\&"
_DROPPED: Final = frozenset({"H", "N"})  # highlighting on and off says nothing in plain text

MAX_ESCAPES: Final = 50_000  # in one text; a sequence has two


class Delimiters:
    """The characters of MSH-1 and MSH-2, in that order; those a message leaves out are "". Immutable."""

    __slots__ = (
        "_escapes",
        "_hash",
        "_unescape",
        "component",
        "escape",
        "field",
        "repetition",
        "subcomponent",
        "truncation",
    )

    def __init__(
        self,
        field: str = "|",
        component: str = "^",
        repetition: str = "~",
        escape: str = "\\",
        subcomponent: str = "&",
        truncation: str = "",  # since 2.7; read and written, but given no meaning
    ) -> None:
        self.field = field
        self.component = component
        self.repetition = repetition
        self.escape = escape
        self.subcomponent = subcomponent
        self.truncation = truncation
        names = {field: "F", component: "S", subcomponent: "T", repetition: "R", escape: "E"}
        table = {character: name for character, name in (names | _CONTROLS).items() if character}
        # without an escape character a delimiter inside text can only be given up
        self._escapes = {ord(c): f"{escape}{name}{escape}" if escape else " " for c, name in table.items()}
        self._hash = hash((field, component, repetition, escape, subcomponent, truncation))
        self._unescape = _unescaper(escape, {name: c for c, name in names.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delimiters) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Delimiters], tuple[str, ...]]:
        named = (self.component, self.repetition, self.escape, self.subcomponent, self.truncation)
        return Delimiters, (self.field, *named)

    def __repr__(self) -> str:
        return f"Delimiters({self.field}{self.encoding_characters})"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation

    def escape_text(self, text: str) -> str:
        """Text as it may stand in a field: delimiters, line ends and frame bytes become escape sequences."""
        return text.translate(self._escapes)

    def unescape_text(self, text: str, charset: str = "utf-8") -> str:
        """The text a field stands for. Unknown and unclosed sequences stay as they are: never a reason to fail.

        ``charset`` is the Python codec of the message, in which ``\\X..\\`` gives bytes. Raises MessageTooLarge for
        more than ``MAX_ESCAPES`` escape characters: each sequence costs half a microsecond.
        """
        if not self.escape or self.escape not in text:
            return text
        if len(text) > MAX_ESCAPES and text.count(self.escape) > MAX_ESCAPES:
            raise MessageTooLarge(f"a field has more than {MAX_ESCAPES} escape characters")
        return self._unescape(text, charset)


def _unescaper(escape: str, characters: dict[str, str]) -> Callable[[str, str], str]:
    if not escape:
        return lambda text, charset: text
    e = re.escape(escape)
    # adjacent \X..\ sequences are decoded together: a character of several bytes may be spread over them
    pattern = re.compile(f"((?:{e}X(?:[0-9A-Fa-f]{{2}})+{e})+)|{e}([^{e}]*){e}")

    def unescape(text: str, charset: str) -> str:
        def replace(match: re.Match[str]) -> str:
            if match[1] is not None:
                digits = match[1].replace(escape, "").replace("X", "")
                try:
                    return bytes.fromhex(digits).decode(charset)
                except UnicodeDecodeError:
                    return match[0]
            name = match[2]
            return "" if name in _DROPPED else characters.get(name, match[0])

        return pattern.sub(replace, text)

    return unescape


STANDARD: Final = Delimiters()
_KNOWN: Final[dict[tuple[str, str], Delimiters]] = {("|", _RECOMMENDED): STANDARD}


def delimiters(separator: str, encoding_characters: str) -> Delimiters:
    """The delimiters a message declares in MSH-1 and MSH-2; refused when they cannot be told apart.

    MSH-2 may be cut short: what is missing is then the recommended character (unless it has another meaning).
    """
    known = _KNOWN.get((separator, encoding_characters))
    return known if known is not None else _declared(separator, encoding_characters)


def _declared(separator: str, declared: str) -> Delimiters:
    characters = separator + declared
    if not 1 <= len(declared) <= 5 or len(set(characters)) != len(characters) or not all(map(_usable, characters)):
        problem = "MSH-1 and MSH-2 are no delimiters"
        raise MalformedHl7(problem, Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, Location("MSH", 1, 2), problem))
    for recommended in _RECOMMENDED[len(declared) :]:
        if recommended in characters:
            break
        characters += recommended
    parts = [*characters[1:], *[""] * 5][:5]
    return Delimiters(separator, *parts)


def _usable(character: str) -> bool:
    return character.isascii() and character.isprintable() and not character.isalnum() and character not in ' "'
