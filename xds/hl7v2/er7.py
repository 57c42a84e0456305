"""HL7 v2 in its ER7 form: bytes ↔ :class:`Message`, split only where somebody looks (HL7 v2.5 chapter 2).

A message is decoded by its MSH-18 first and split after that: the bytes of 504 GB18030 characters contain ``|``,
``^``, ``~``, ``\\`` or ``&``. Read liberally, written strictly: LF and CRLF end segments too, trailing delimiters may
be missing, what is unknown (Z segments, additional fields) stays where it was.

::

    message = parse(data)
    message["PID"][3].repetitions[0][1]      # PID-3.1 of the first identifier
    message.value("PID-5.1")
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from xds.errors import MessageTooLarge
from xds.hl7v2.errors import Hl7Error, Location, MalformedHl7, reject
from xds.hl7v2.escapes import STANDARD, Delimiters, delimiters
from xds.vocab.hl7 import Hl7ErrorCode, codec_of

MAX_SEGMENTS: Final = 10_000
MAX_FIELDS: Final = 2_000
MAX_REPETITIONS: Final = 2_000
NULL: Final = '""'  # "delete what you hold", ITI TF-2 C.2.6; an empty field says "leave it as it is"

_UNDIVIDED: Final = Delimiters("\r", "\r", "\r", "", "")
_NOTHING: Final = [""] * 32
_SHIFTED: Final = frozenset({"MSH", "FHS", "BHS"})  # the separator itself is their field 1
_BOM: Final = b"\xef\xbb\xbf"
_DIRT: Final = b" \t\r\n\x00"
_FIRST_LINE_END: Final = re.compile(rb"[\r\n]")
_PATH: Final = re.compile(r"([A-Z][A-Z0-9]{2})-(\d+)(?:\((\d+)\))?(?:\.(\d+))?(?:\.(\d+))?")


# --------------------------------------------------------------------------- values


class Repetition:
    """One repetition of a field. ``repetition[n]`` is the text of component n, unescaped, "" when it is not there."""

    __slots__ = ("_components", "charset", "delimiters", "raw")

    def __init__(self, raw: str, d: Delimiters = STANDARD, charset: str = "utf-8") -> None:
        self.raw = raw
        self.delimiters = d
        self.charset = charset
        self._components: list[str] | None = None

    @property
    def components(self) -> list[str]:
        """The components as they stand, still escaped."""
        if self._components is None:
            self._components = self.raw.split(self.delimiters.component, MAX_FIELDS)
        return self._components

    def __getitem__(self, component: int) -> str:
        """The text of a component; when it has subcomponents, of the first one."""
        components = self.components
        if component > len(components):
            return ""
        text = components[component - 1]
        d = self.delimiters
        if d.subcomponent and d.subcomponent in text:
            text = text[: text.index(d.subcomponent)]
        return d.unescape_text(text, self.charset) if d.escape and d.escape in text else text

    def subcomponents(self, component: int) -> list[str]:
        """The texts of all subcomponents of a component, unescaped; at least one."""
        components = self.components
        if component > len(components):
            return [""]
        d = self.delimiters
        text = components[component - 1]
        parts = text.split(d.subcomponent, MAX_FIELDS) if d.subcomponent else [text]
        return [d.unescape_text(part, self.charset) for part in parts] if d.escape in text else parts

    def texts(self, count: int) -> list[str]:
        """The texts of components 1 to ``count``. A null is "": repetitions replace what was held."""
        components = self.raw.split(self.delimiters.component, count)[:count]
        if "\\" in self.raw or "&" in self.raw or NULL in self.raw or self.delimiters is not STANDARD:
            texts = [self[n] for n in range(1, len(components) + 1)]
            components = ["" if text == NULL else text for text in texts]
        if len(components) < count:
            components.extend(_NOTHING[len(components) : count])
        return components

    @property
    def is_null(self) -> bool:
        return self.raw == NULL

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __str__(self) -> str:
        """The whole repetition as one text, unescaped; for fields without components."""
        return self.delimiters.unescape_text(self.raw, self.charset)

    def __repr__(self) -> str:
        return f"<Repetition of {len(self.raw)} characters>"  # no patient data


class Field(Repetition):
    """One field. As a Repetition it is its first one; ``repetitions`` are all of them."""

    __slots__ = ("whole",)

    def __init__(self, whole: str, d: Delimiters = STANDARD, charset: str = "utf-8") -> None:
        self.whole = whole
        cut = whole.find(d.repetition) if d.repetition else -1
        self.raw = whole if cut < 0 else whole[:cut]
        self.delimiters = d
        self.charset = charset
        self._components = None

    @property
    def repetitions(self) -> list[Repetition]:
        """All repetitions, empty ones in between included; none when the field is empty."""
        if not self.whole:
            return []
        d = self.delimiters
        if not d.repetition or d.repetition not in self.whole:
            return [self]
        if self.whole.count(d.repetition) > MAX_REPETITIONS:
            raise MessageTooLarge(f"a field has more than {MAX_REPETITIONS} repetitions")
        return [Repetition(raw, d, self.charset) for raw in self.whole.split(d.repetition)]

    @property
    def is_null(self) -> bool:
        return self.whole == NULL

    def __bool__(self) -> bool:
        return bool(self.whole)


class Segment:
    """One segment. ``segment[n]`` is field n, empty when it is not there; ``segment.raw(n)`` is its undivided text."""

    __slots__ = ("_charset", "_d", "_fields", "id", "line")

    def __init__(self, line: str, d: Delimiters = STANDARD, charset: str = "utf-8") -> None:
        self.line = line
        self._d = d
        self._charset = charset
        if line.count(d.field) > MAX_FIELDS:
            raise MessageTooLarge(f"a segment has more than {MAX_FIELDS} fields")
        fields = line.split(d.field)
        self.id = fields[0]
        if self.id in _SHIFTED:
            fields.insert(1, d.field)
        self._fields = fields

    def raw(self, field: int) -> str:
        """A field as it stands: escaped, with all its delimiters."""
        fields = self._fields
        return fields[field] if field < len(fields) else ""

    def text(self, field: int) -> str:
        """Component 1 of the first repetition of a field, trimmed: what ``segment[n][1]`` gives, quickly."""
        raw = self.raw(field)
        return raw if raw.isalnum() or not raw else self[field][1].strip()

    def __getitem__(self, field: int) -> Field:
        fields = self._fields
        if field < 3 and self.id in _SHIFTED:  # the delimiters themselves divide nothing
            return Field(self.raw(field), _UNDIVIDED, self._charset)
        return Field(fields[field] if field < len(fields) else "", self._d, self._charset)

    def __len__(self) -> int:
        """The number of the last field that stands in the segment, be it empty."""
        return len(self._fields) - 1

    def __iter__(self) -> Iterator[Field]:
        """The fields from 1 on."""
        return (self[n] for n in range(1, len(self._fields)))

    def __repr__(self) -> str:
        return f"<Segment {self.id} of {len(self)} fields>"


class Message:
    """An HL7 v2 message: its segments in order, its delimiters, and the Python codec it was read with."""

    __slots__ = ("_opened", "charset", "delimiters", "lenient", "lines")

    def __init__(
        self, lines: Sequence[str], d: Delimiters = STANDARD, charset: str = "utf-8", *, lenient: bool = False
    ) -> None:
        self.lines = lines
        self.delimiters = d
        self.charset = charset
        self.lenient = lenient  # the bytes were not what MSH-18 says, and were read nevertheless
        self._opened: dict[str, Segment] = {}

    def find(self, segment_id: str) -> Segment | None:
        """The first segment with this id."""
        opened = self._opened.get(segment_id)
        if opened is not None:
            return opened
        start = segment_id + self.delimiters.field
        for line in self.lines:
            if line.startswith(start) or line == segment_id:
                segment = self._opened[segment_id] = Segment(line, self.delimiters, self.charset)
                return segment
        return None

    def __getitem__(self, segment_id: str) -> Segment:
        """The first segment with this id; Hl7Rejected (100, segment sequence error) when there is none."""
        segment = self._opened.get(segment_id) or self.find(segment_id)
        if segment is None:
            raise reject(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, Location(segment_id), f"{segment_id} is missing")
        return segment

    def __contains__(self, segment_id: object) -> bool:
        return isinstance(segment_id, str) and self.find(segment_id) is not None

    def all(self, segment_id: str) -> list[Segment]:
        """Every segment with this id, in order."""
        start = segment_id + self.delimiters.field
        return [
            Segment(line, self.delimiters, self.charset)
            for line in self.lines
            if line.startswith(start) or line == segment_id
        ]

    @property
    def segments(self) -> list[Segment]:
        return [Segment(line, self.delimiters, self.charset) for line in self.lines]

    def value(self, path: str) -> str:
        """The unescaped text at a path such as ``PID-5``, ``PID-3(2).4.2``; "" where there is nothing.

        Raises ValueError for a path that is none.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise ValueError(f"not a path into a message: {path!r}")
        segment = self.find(match[1])
        if segment is None:
            return ""
        repetitions = segment[int(match[2])].repetitions
        number = int(match[3] or 1)
        if not 1 <= number <= len(repetitions):
            return ""
        repetition = repetitions[number - 1]
        if match[5]:
            parts = repetition.subcomponents(int(match[4]))
            return parts[int(match[5]) - 1] if int(match[5]) <= len(parts) else ""
        return repetition[int(match[4])] if match[4] else str(repetition)

    @property
    def control_id(self) -> str:
        """MSH-10 as it stands."""
        return self["MSH"].raw(10)

    def __str__(self) -> str:
        """The message as text, every segment ended by CR."""
        return "\r".join(self.lines) + "\r"

    def __bytes__(self) -> bytes:
        """The message as it goes over the wire, in its own character set."""
        return str(self).encode(self.charset, "replace")

    def __repr__(self) -> str:
        return f"<Message of {len(self.lines)} segments>"


# --------------------------------------------------------------------------- reading


def parse(data: bytes, *, fallbacks: Sequence[str] = ("utf-8", "latin-1"), replace: bool = False) -> Message:
    """Read one message.

    ``fallbacks`` are the codecs to try in turn when MSH-18 is empty, or says ASCII and the bytes are not: senders leave
    it out and use their code page (ITI TF-2 C.2.2 would have it mean ASCII). ``replace`` reads undecodable bytes as
    U+FFFD; otherwise they are refused. Both are noted in ``Message.lenient``.
    Raises MalformedHl7, and MessageTooLarge for more than 10,000 segments.
    """
    if not data.startswith(b"MSH"):
        data = data.removeprefix(_BOM).lstrip(_DIRT).removeprefix(_BOM)
        if not data.startswith(b"MSH"):
            raise MalformedHl7("the message does not begin with MSH")
    header, separator = _header(data)
    text, charset, lenient = _decode(data, header, separator, fallbacks, replace)
    lines = _lines(text, separator)
    if "\n" in lines[0]:  # it would begin a segment where an answer repeats the field
        lines[0] = lines[0].replace("\n", " ")
    first = lines[0]
    cut = first.find(separator, 4)
    d = delimiters(separator, first[4:cut] if cut > 0 else first[4:])
    return Message(lines, d, charset, lenient=lenient)


def _header(data: bytes) -> tuple[bytes, str]:
    """The bytes of the MSH segment, and the field separator."""
    end = data.find(b"\r")
    header = data if end < 0 else data[:end]
    newline = header.find(b"\n")
    separator = data[3:4].decode("latin-1")
    if newline >= 0:  # it ends a segment where it does in ``_lines``
        ends = b"\n" if end < 0 else rb"\n+(?=[A-Z][A-Z0-9]{2}" + re.escape(separator).encode("latin-1") + b"|$)"
        found = re.search(ends, header)
        header = header[: found.start()] if found else header
    if not separator or not separator.isascii() or separator.isalnum() or not separator.isprintable():
        problem = "MSH is not followed by a field separator"
        raise MalformedHl7(problem, Hl7Error(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("MSH", 1, 1), problem))
    return header, separator


def _decode(
    data: bytes, header: bytes, separator: str, fallbacks: Sequence[str], replace: bool
) -> tuple[str, str, bool]:
    """The text, the codec it was read with, and whether that was a guess or a repair."""
    charset = declared_charset(header, separator)
    if not charset:
        codec = "ascii"
    else:
        known = codec_of(charset)
        if known is None:
            problem = "the character set of MSH-18 is not supported"
            raise MalformedHl7(problem, Hl7Error(Hl7ErrorCode.TABLE_VALUE_NOT_FOUND, Location("MSH", 1, 18), problem))
        codec = known
    if codec == "ascii":
        if data.isascii():
            return data.decode("ascii"), fallbacks[0] if fallbacks else "ascii", False
        for fallback in fallbacks:
            try:
                return data.decode(fallback), fallback, True
            except UnicodeDecodeError:
                continue
    try:
        return data.decode(codec), codec, False
    except UnicodeDecodeError:
        if replace:
            return data.decode(codec, "replace"), codec, True
    problem = "the bytes are not in the character set of MSH-18"
    raise MalformedHl7(problem, Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, Location("MSH", 1, 18), problem))


def declared_charset(header: bytes, separator: str) -> str:
    """The first repetition of MSH-18, read from bytes.

    Every supported set writes ASCII as ASCII, but the second byte of a Chinese character in MSH-3 may look like a
    separator: then the value that names its own place counts.
    """
    fields = header.split(separator.encode(), 40)
    if len(fields) < 18:
        return ""
    if header.isascii():
        return _first(fields[17].decode("ascii"), header)
    for candidate in fields[17:]:
        charset = _first(candidate.decode("latin-1"), header)
        codec = codec_of(charset) if charset else None
        if codec is not None:
            decoded = header.decode(codec, "replace").split(separator, 18)
            if len(decoded) > 17 and _first(decoded[17], header) == charset:
                return charset
    return _first(fields[17].decode("latin-1"), header)


def _first(field: str, header: bytes) -> str:
    """The first repetition of MSH-18, trimmed; more than one would mean ISO 2022 switching, which IHE excludes."""
    repetition = chr(header[5]) if len(header) > 5 else "~"
    return field.split(repetition, 1)[0].strip()


def _lines(text: str, separator: str) -> list[str]:
    """The segments. CR ends one; so do CRLF, and LF where a segment begins after it (elsewhere it is data)."""
    if "\n" in text:
        text = text.replace("\r\n", "\r")
        if "\n" in text:
            if "\r" not in text.rstrip("\r\n"):
                text = text.replace("\n", "\r")
            else:
                text = re.sub(rf"\n+(?=[A-Z][A-Z0-9]{{2}}{re.escape(separator)}|\r|$)", "\r", text)
    if text.count("\r") > MAX_SEGMENTS:
        raise MessageTooLarge(f"the message has more than {MAX_SEGMENTS} segments")
    lines = text.split("\r")
    if not lines[-1]:
        lines.pop()
    return lines if all(lines) else [line for line in lines if line.strip()]


# --------------------------------------------------------------------------- writing


Content = str | Sequence["Content"]


def message(*segments: str, d: Delimiters = STANDARD, charset: str = "utf-8") -> Message:
    """A message of segments made by :func:`segment`; the first one is MSH."""
    return Message([line for line in segments if line], d, charset)


def segment(segment_id: str, *fields: Content | None, d: Delimiters = STANDARD) -> str:
    """One segment. A field is text (escaped here), or nested sequences: repetitions of components of subcomponents.

    ``("A", "B")`` is two components; ``[("A", "B"), ("C",)]``, a list, is two repetitions. Fields of MSH begin with
    MSH-3: the delimiters are written by themselves. Trailing empty fields are left out.
    """
    texts = [_field(content, d) for content in fields]
    while texts and not texts[-1]:
        texts.pop()
    head = [segment_id, d.encoding_characters] if segment_id in _SHIFTED else [segment_id]
    return d.field.join(head + texts)


def _field(content: Content | None, d: Delimiters) -> str:
    if content is None or content == "":
        return ""
    if isinstance(content, str):
        return content if content == NULL else d.escape_text(content)
    if isinstance(content, list):
        return d.repetition.join(_components(repetition, d) for repetition in content)
    return _components(content, d)


def _components(content: Content, d: Delimiters) -> str:
    if isinstance(content, str):
        return content if content == NULL else d.escape_text(content)
    return _joined([_subcomponents(component, d) for component in content], d.component)


def _subcomponents(content: Content, d: Delimiters) -> str:
    if isinstance(content, str):
        return content if content == NULL else d.escape_text(content)
    return _joined([d.escape_text(str(part)) for part in content], d.subcomponent)


def _joined(parts: list[str], delimiter: str) -> str:
    while parts and not parts[-1]:
        parts.pop()
    return delimiter.join(parts)
