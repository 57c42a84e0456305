"""The one door through which XML comes in, SOAP envelopes too, and the escaping of what goes out.

XML from the network is hostile (DESIGN D10): a message with a DOCTYPE is refused, so there are no entities to expand
and nothing to fetch (SOAP 1.2 Part 1, 5, forbids DTDs and processing instructions as well); size and counts are
checked on the bytes, before a tree is built; depth is libxml2's own limit. Texts of errors hold no content.
"""

from __future__ import annotations

import codecs
import re
from random import randrange
from threading import Thread, local
from typing import Final

from lxml import etree

from xds.ebxml.guard import check_counts, check_markup
from xds.errors import MalformedMessage, MessageTooLarge
from xds.vocab import namespaces

MAX_SIZE: Final = 16 * 2**20
MAX_TAGS: Final = 100_000  # "<" characters: an element has one or two. A DocumentEntry has about 200
MAX_ATTRIBUTES: Final = 100_000  # "=" characters
MAX_RECODED: Final = 8 * 2**20  # bytes of a message in another encoding than UTF-8
# libxml2 refuses a text of more than 10 million bytes and a depth of more than 256; for messages that are longer than
# that (a document inline as base64) the limits are 1 GB and 2048
_LONG: Final = 10_000_000
# a message with more tags and attributes than this is parsed in a thread of its own, see _Thread
_FEW_NODES: Final = 10_000

# Every root element we write declares these, so that fragments can be joined under it unchanged
PREFIXES: Final = "".join(
    f' xmlns:{prefix}="{uri}"'
    for prefix, uri in (
        ("rim", namespaces.RIM),
        ("rs", namespaces.RS),
        ("lcm", namespaces.LCM),
        ("query", namespaces.QUERY),
        ("xds", namespaces.XDS),
        ("xop", namespaces.XOP),
    )
).encode()

XML_SPACE: Final = " \t\r\n"  # XML 1.0, production 3; str.strip() without it takes ideographic spaces as well

# --------------------------------------------------------------------------- in


def parse(
    data: bytes,
    *,
    encoding: str | None = None,
    max_size: int = MAX_SIZE,
    max_tags: int = MAX_TAGS,
    max_attributes: int = MAX_ATTRIBUTES,
) -> etree._Element:
    """The root element of a message. Comments and processing instructions are not in the tree.

    ``encoding`` is what the transport declared (the charset of Content-Type); a byte order mark overrules it, and it
    overrules the XML declaration (RFC 7303, 3). ``max_size`` counts bytes, of the message and of its UTF-8 form.

    Raises MalformedMessage for what is not well-formed or has a DOCTYPE, MessageTooLarge for what passes a limit.
    """
    if len(data) > max_size:
        raise MessageTooLarge(f"the XML has more than {max_size} bytes")
    data = _as_utf8(data, encoding)
    if not data.startswith(b"<"):
        raise MalformedMessage("the message is not XML")
    nodes = 0  # a short message cannot pass a limit on counts: each tag or attribute takes two bytes or more
    if len(data) >= 2 * _FEW_NODES:
        nodes = check_counts(data, max_size, max_tags, max_attributes)
        check_markup(data, nodes)
    if _has_document_type(data):
        raise MalformedMessage("the XML has a document type declaration, which is not accepted")
    return _THREAD.parse(data) if nodes < _FEW_NODES and len(data) < _LONG else _parse_apart(data)


def _has_document_type(data: bytes) -> bool:
    """Whether the root element has a DOCTYPE before it; comments and processing instructions may be there as well
    (XML 1.0, production 22).
    """
    position = 0
    while (found := _NO_SPACE(data, position)) is not None:
        position = found.start()
        closing = next((end for start, end in _BEFORE_ROOT if data.startswith(start, position)), None)
        if closing is None:
            return data[position : position + 9].upper() == b"<!DOCTYPE"
        position = data.find(closing, position + len(closing) + 1)
        if position < 0:  # it never ends: the parser will say so
            return False
        position += len(closing)
    return False


_NO_SPACE: Final = re.compile(rb"[^ \t\r\n]").search
_BEFORE_ROOT: Final = ((b"<?", b"?>"), (b"<!--", b"-->"))


class _Thread(local):
    """The parser of a thread (lxml serialises the use of a shared one), and how much memory its names take.

    lxml keeps every name and namespace it has met for as long as the thread lives. Messages have a few hundred; whoever
    invents new ones in each could fill the memory of the threads that serve. So names are counted in one message out of
    about ``_SAMPLE``, and a thread that has met too many parses no more: messages are then parsed apart.
    """

    def __init__(self) -> None:
        self.parser = _parser(long=False)
        self.grown = 0  # estimate of bytes
        self.worn = False
        self._seen: set[str | bytes] = set()
        self._turn = randrange(_SAMPLE)  # noqa: S311  # not to be guessed from outside is enough

    def parse(self, data: bytes) -> etree._Element:
        if self.worn:
            return _parse_apart(data)
        try:
            root = _parse(data, self.parser)
        except MalformedMessage:  # its names were kept all the same
            self._grow(8 * len(data))
            raise
        if self._turn:
            self._turn -= 1
        else:
            self._sample(root)
        return root

    def _sample(self, root: etree._Element) -> None:
        self._turn = randrange(2 * _SAMPLE)  # noqa: S311
        names: set[str | bytes] = {str(uri) for _, uri in etree.iterwalk(root, events=("start-ns",))}
        for element in root.iter():
            names.add(str(element.tag))
            names.update(element.keys())
        names -= self._seen
        self._grow(_SAMPLE * sum(len(name) + 60 for name in names))  # 60: an entry of libxml2's dictionary
        if len(self._seen) < 10_000:
            self._seen |= names

    def _grow(self, size: int) -> None:
        self.grown += size
        self.worn = self.grown > _WORN


_SAMPLE: Final = 64
_WORN: Final = 64 * 2**20


def _parser(*, long: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: _as_utf8 has read it
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        huge_tree=long,
    )


_THREAD: Final = _Thread()


def _parse(data: bytes, parser: etree.XMLParser) -> etree._Element:
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        # libxml2's texts quote the message; what is left is where it happened
        line, column = error.position
        limit = error.code == _RESOURCE_LIMIT  # type: ignore[attr-defined]  # the stubs leave it out
    if limit:
        raise MessageTooLarge(f"the XML is nested too deeply or has too long a text (line {line}, column {column})")
    raise MalformedMessage(f"the XML is not well-formed (line {line}, column {column})")


_RESOURCE_LIMIT: Final = 114  # XML_ERR_RESOURCE_LIMIT of libxml2


def _parse_apart(data: bytes) -> etree._Element:
    """As ``_parse``, in a thread that ends with it, and takes the names it has met with it (see ``_Thread``).

    A new thread costs 50 to 100 microseconds.
    """
    outcome: list[etree._Element | MalformedMessage] = []

    def run() -> None:
        try:
            outcome.append(_parse(data, _parser(long=len(data) >= _LONG)))
        except MalformedMessage as error:
            outcome.append(error)

    thread = Thread(target=run, name="xds-xml", daemon=True)
    thread.start()
    thread.join()
    if not outcome:
        raise MemoryError("the XML could not be parsed")
    if isinstance(outcome[0], MalformedMessage):
        raise outcome[0]
    return outcome[0]


# --------------------------------------------------------------------------- encodings

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARK_BEGINS: Final = frozenset({b"\xef", b"\xff", b"\xfe", b"\0"})
# "<?" and "<a" without a mark (XML 1.0, appendix F.1)
_BARE: Final = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_DECLARATION: Final = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._:-]{0,39})["']""").match
_DECLARATION_TEXT: Final = re.compile(r"\s*<\?xml\s.*?\?>", re.DOTALL).match
_UTF8: Final = frozenset({"utf-8", "ascii"})
# codecs by Python's name that are character encodings which XML may use; not utf-7, idna, unicode_escape and the like
_ACCEPTED: Final = {
    *("utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
    *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "cp950", "shift_jis", "cp932", "euc_jp", "iso2022_jp"),
    *("euc_kr", "cp949", "koi8-r", "koi8-u", "tis-620"),
    *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
    *(f"cp{page}" for page in (437, 850, 852, 874, *range(1250, 1259))),
}


def _as_utf8(data: bytes, declared: str | None) -> bytes:
    """The message in UTF-8, without byte order mark and without white space before the XML declaration."""
    if data[:1] in _MARK_BEGINS:
        for mark, name in _BYTE_ORDER_MARKS:
            if data.startswith(mark):
                return _recode(data, name, skip=len(mark))
    if bare := _BARE.get(data[:2]):
        return _recode(data, bare)
    data = data.lstrip(b" \t\r\n")
    if declared is None:
        found = _DECLARATION(data)
        if found is None:
            return data
        declared = found[1].decode("ascii")
    name = _codec(declared)
    # read as single bytes so far: not UTF-16, whatever it says (.NET programs that send a string they had declared)
    return data if name in _UTF8 or name.startswith(("utf-16", "utf-32")) else _recode(data, name)


def _codec(label: str) -> str:
    """Python's name for a character encoding, by the name a peer used."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        name = ""
    if name not in _ACCEPTED:
        raise MalformedMessage("the character encoding of the XML is not supported")
    return name


def _recode(data: bytes, codec: str, *, skip: int = 0) -> bytes:
    if len(data) > MAX_RECODED and codec != "utf-8":
        raise MessageTooLarge(f"XML in another encoding than UTF-8 may have {MAX_RECODED} bytes")
    try:
        text = data[skip:].decode(codec)
    except (UnicodeDecodeError, ValueError):
        raise MalformedMessage("the XML has bytes that are not in its character encoding") from None
    if text.startswith("\ufeff"):  # libxml2 would skip a second mark, and _DOCTYPE would not
        raise MalformedMessage("the XML has two byte order marks")
    declaration = _DECLARATION_TEXT(text)  # names an encoding that is no longer true
    return (text[declaration.end() :] if declaration else text).lstrip(XML_SPACE).encode()


# --------------------------------------------------------------------------- out

# what has to be escaped or cannot be said in XML 1.0 at all (production 2)
_ILLEGAL_CHARACTERS: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_ILLEGAL: Final = re.compile(f"[{_ILLEGAL_CHARACTERS}]")
_IN_TEXT: Final = re.compile(f"[&<>\r{_ILLEGAL_CHARACTERS}]").search
_IN_ATTRIBUTE: Final = re.compile(f'[&<>"\t\n\r{_ILLEGAL_CHARACTERS}]').search


def text(value: str) -> str:
    """``value`` as character data. CR is written as a reference: a reader would make LF of it (XML 1.0, 2.11).

    Raises ValueError for characters that XML cannot carry; they cannot come from a parsed message.
    """
    if _IN_TEXT(value) is None:
        return value
    _check(value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def attribute(value: str) -> str:
    """``value`` for an attribute in double quotes. White space survives: TAB, LF and CR are written as references
    (a reader makes blanks of bare ones: XML 1.0, 3.3.3). Raises ValueError as ``text`` does.
    """
    if _IN_ATTRIBUTE(value) is None:
        return value
    _check(value)
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return value.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")


def legal(value: str) -> str:
    """``value`` with U+FFFD in place of characters that XML cannot carry, for texts that must get out anyhow."""
    return value if _ILLEGAL.search(value) is None else _ILLEGAL.sub("\ufffd", value)


def _check(value: str) -> None:
    if _ILLEGAL.search(value) is not None:
        raise ValueError("the text has characters that XML cannot carry")


__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_RECODED",
    "MAX_SIZE",
    "MAX_TAGS",
    "PREFIXES",
    "XML_SPACE",
    "attribute",
    "legal",
    "parse",
    "text",
]
