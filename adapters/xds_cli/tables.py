"""The tables of the configuration file: settings that come in groups, one table per concern.

They stand in the file only; the options of ``config`` are for what everybody sets. Adding a column is one row in
:data:`TABLES` and one argument in ``xds_cli.tabled``, which makes of a table what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from xds.hl7v2.feeds import Feed
from xds.hl7v2.times import zone
from xds.metadata.common import Code
from xds.patients.domains import Source
from xds.vocab.hl7 import charset_of, codec_of
from xds_cli.words import count, nearest, oid, one_of

Values = dict[str, str]
Tables = dict[str, list[Values]]  # as they stand in the file, every value as text


@dataclass(frozen=True, slots=True)
class Column:
    """One key of a table; ``read`` raises ValueError with what to write instead."""

    key: str
    read: Callable[[str], Any]
    default: str | None  # None: absent
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """``[key]``, or ``[[key]]`` where it may stand several times."""

    key: str
    meaning: str
    columns: tuple[Column, ...]
    many: bool = False

    @property
    def heading(self) -> str:
        return f"[[{self.key}]]" if self.many else f"[{self.key}]"


# --------------------------------------------------------------------------- reading one value


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("write true or false")
    return text == "true"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ValueError("write a number of seconds above 0")
    return value


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("name a file that is there")
    return Path(text)


def _text(text: str) -> str:
    if not text:
        raise ValueError("write a text")
    return text


def _senders(text: str) -> tuple[Source, ...]:
    senders = []
    for part in text.split(","):
        application, _, facility = (word.strip() for word in part.partition("|"))
        if not application and not facility:
            raise ValueError("write MSH-3|MSH-4, for example 'HIS|WEST', or one of them: 'HIS', '|WEST'")
        senders.append(Source(application or None, facility or None))
    return tuple(senders)


def _oids(text: str) -> tuple[str, ...]:
    return tuple(oid(part.strip()) for part in text.split(","))


def _coded(text: str) -> Code:
    code, name, scheme = (part.strip() for part in (*text.split("^"), "", "")[:3])
    if not (code and name and scheme) or text.count("^") > 2:
        raise ValueError("write CODE^DISPLAY NAME^CODING SCHEME")
    return Code(code, scheme, name)


def _charsets(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    try:
        Feed(default_charsets=names)
    except LookupError:
        raise ValueError("write names of HL7 table 0211 or of Python codecs, for example 'GB 18030-2000'") from None
    if not names:
        raise ValueError("write at least one character set")
    return names


def _codec(text: str) -> str:
    if (codec := codec_of(text.strip())) is None or charset_of(codec) is None:
        raise ValueError("write a name of HL7 table 0211, for example 'GB 18030-2000'")
    return codec


def _zone(text: str) -> str:
    try:
        zone(text)
    except ValueError:
        raise ValueError("write a name such as Asia/Shanghai, or an offset such as +08:00") from None
    return text


# --------------------------------------------------------------------------- the tables


TABLES: Final = (
    Table(
        "tls",
        "both listeners speak TLS: HTTPS, and MLLP over TLS (ITI TF-2, 3.19)",
        (
            Column("certificate", _file, None, "PEM file: our certificate, then those that vouch for it"),
            Column("key", _file, None, "PEM file: the private key of the certificate, without a password"),
            Column("client_ca", _file, None, "PEM file: who vouches for clients; with it, clients need a certificate"),
            Column("minimum_version", one_of("1.2", "1.3"), "1.2", "the oldest version of TLS that is spoken"),
        ),
    ),
    Table(
        "registry",
        "the connection to the registry of another system that register_at names",
        (
            Column("ca", _file, None, "PEM file: who vouches for it; without it those the system trusts"),
            Column("certificate", _file, None, "PEM file: our certificate, where it asks for one"),
            Column("key", _file, None, "PEM file: the private key of the certificate, without a password"),
            Column("timeout", _seconds, "30", "seconds without an answer, then its outcome is open"),
        ),
    ),
    Table(
        "soap",
        "limits of the SOAP listener",
        (
            Column("request_mb", count, "4096", "a whole request, after decompression"),
            Column("envelope_mb", count, "16", "its XML"),
            Column("parts", count, "1000", "parts of one MTOM package"),
            Column("header_time", _seconds, "20", "seconds for the request line and headers"),
            Column("body_time", _seconds, "30", "seconds without a byte of the request, then it is given up"),
            Column("send_time", _seconds, "60", "seconds in which a client takes nothing of its answer"),
            Column("idle_time", _seconds, "75", "seconds a connection may wait for its next request"),
            Column("waiting", count, "1000", "requests in progress; one more is answered 503"),
            Column("gathered_mb", count, "256", "memory for requests that are being received; then 503"),
            Column("connections", count, "2000", "connections at a time; one more is answered 503"),
        ),
    ),
    Table(
        "hl7v2",
        "limits of the MLLP listener",
        (
            Column("message_mb", count, "16", "a message; a larger one is answered AR"),
            Column("connections", count, "1000", "connections at a time; one more is closed"),
            Column("queued", count, "32", "messages of a connection that wait for their answer"),
            Column("idle_time", _seconds, "3600", "seconds a connection may be silent"),
            Column("read_time", _seconds, "60", "seconds from the first to the last byte of a message"),
        ),
    ),
    Table(
        "pix",
        "what the Patient Identifier Cross-reference Manager does where the Framework leaves it open",
        (
            Column(
                "identifiers",
                one_of("external", "assigned"),
                "external",
                "those of the affinity domain: external: a feed brings them; assigned: one is made for each person",
            ),
            Column(
                "translate",
                _flag,
                "false",
                "submissions and queries under another domain's identifier mean the person's of the affinity domain",
            ),
            Column(
                "unknown_survivor",
                one_of("create", "refuse"),
                "create",
                "a merge whose surviving identifier is not known: make it known, or AE",
            ),
            Column(
                "documents_may_join",
                _flag,
                "false",
                "with assigned identifiers, people with documents each are linked automatically; else people decide",
            ),
            Column("repeat_days", count, "7", "for so long a message with the same control id and content is a repeat"),
        ),
    ),
    Table(
        "xad_pid",
        "what the registry does when a PIX Manager says that a local identifier belongs to another patient (ITI-64)",
        (
            Column(
                "sources",
                _senders,
                None,
                "who may say so: MSH-3|MSH-4, …; without it who speaks for the affinity domain",
            ),
            Column(
                "content_type",
                _coded,
                "A43^Move patient information - patient identifier list^HL70003",
                "contentTypeCode of the submission that moves the documents: code^display name^coding scheme",
            ),
        ),
    ),
    Table(
        "identifier_domain",
        "an identifier domain; without any, every authority is one. With some, others are not taken (that of the"
        " affinity domain excepted)",
        (
            Column("oid", oid, None, "the OID of its assigning authority"),
            Column("namespace", _text, None, "the name of that authority in CX-4.1"),
            Column("sources", _senders, None, "who speaks for it: MSH-3|MSH-4, …; without it everybody"),
            Column("trusted", _flag, "false", "numbers of a person, not of a hospital: by them people are recognised"),
            Column("in_pid_19", _flag, "false", "PID-19 has numbers of this domain"),
            Column("check_digit", one_of("none", "cn"), "none", "how wrong numbers are told; cn: resident number"),
        ),
        many=True,
    ),
    Table(
        "pix_consumer",
        "a system that is told of changes (ITI-10), over MLLP; what cannot be delivered waits for it",
        (
            Column("name", _text, None, "how the store and the logs call it"),
            Column("host", _text, None, "where it listens"),
            Column("port", count, "2575", "its port"),
            Column("domains", _oids, None, "OIDs of the identifier domains it knows; without it all"),
            Column("application", _text, None, "its name in MSH-5"),
            Column("facility", _text, None, "its name in MSH-6"),
            Column("charset", _codec, "utf-8", "what is written to it"),
            Column("tls", _flag, "false", "speak TLS"),
            Column("ca", _file, None, "PEM file: who vouches for it; without it those the system trusts"),
            Column("certificate", _file, None, "PEM file: our certificate, where it asks for one"),
            Column("key", _file, None, "PEM file: the private key of the certificate, without a password"),
            Column("timeout", _seconds, "30", "seconds for its answer"),
        ),
        many=True,
    ),
    Table(
        "feed",
        "what was agreed with a sender of HL7 v2 messages; the first that matches counts, one without names is for all",
        (
            Column("application", _text, None, "MSH-3, first component; without it any"),
            Column("facility", _text, None, "MSH-4, first component; without it any"),
            Column("charsets", _charsets, "utf-8,latin-1", "tried in turn when MSH-18 is empty"),
            Column(
                "undecodable",
                one_of("reject", "replace"),
                "reject",
                "bytes that are not in the character set: refuse the message, or read U+FFFD",
            ),
            Column("strict", _flag, "false", "hold messages against the structure of their version"),
            Column(
                "unknown_triggers",
                one_of("accept", "reject"),
                "accept",
                "ADT events that nobody here acts on: acknowledge them, or AR",
            ),
            Column(
                "acknowledgement",
                one_of("auto", "original", "enhanced"),
                "auto",
                "mode of acknowledgement; auto: as MSH-15 and MSH-16 say",
            ),
            Column("assigning_authority", oid, None, "OID for identifiers that are sent without an authority"),
            Column("namespace", _text, None, "the name of that authority in CX-4.1"),
            Column("time_zone", _zone, "UTC", "of times that do not say theirs: Asia/Shanghai, +08:00"),
        ),
        many=True,
    ),
)
BY_KEY: Final = {table.key: table for table in TABLES}


class TableError(ValueError):
    """A table cannot be used; the text is one line that says which key, and what to change."""


def from_toml(table: Table, value: Any) -> list[Values]:
    """The rows of a table as it came out of the file; raises TableError."""
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows) or (len(rows) > 1 and not table.many):
        raise TableError(f"{table.key} is a table: write {table.heading}")
    return [_row(table, row) for row in rows]


def _row(table: Table, row: Mapping[str, Any]) -> Values:
    columns = {column.key: column for column in table.columns}
    found: Values = {}
    for key, value in row.items():
        if key not in columns:
            raise TableError(f"{table.heading} has no setting {key!r}{nearest(key, columns)}")
        found[key] = _as_text(value, f"{table.heading} {key}")
    _read(table, found)
    return found


def _as_text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(item, str) and "," not in item for item in value):
        return ",".join(value)
    if not isinstance(value, str | int | float):
        raise TableError(f"{where} must be a text, a number, true or false")
    return str(value)


def _read(table: Table, row: Values) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.columns:
        text = row.get(column.key, column.default)
        try:
            values[column.key] = None if text is None else column.read(text)
        except ValueError as error:
            raise TableError(f"{table.heading} {column.key} {text!r} cannot be used: {error}") from None
    return values


def rows(tables: Tables, key: str) -> Sequence[dict[str, Any]]:
    """The rows of a table with their values read, defaults filled in."""
    return [_read(BY_KEY[key], row) for row in tables.get(key, [])]


def only(tables: Tables, key: str) -> dict[str, Any]:
    """The one row of a table; its defaults when it is not there."""
    found = rows(tables, key)
    return found[0] if found else _read(BY_KEY[key], {})
