"""The mapping file: how the messages of each sender become metadata.

::

    [[sender]]
    application = "LAB"                 # MSH-3; without it any
    facility = "EAST"                   # MSH-4; without it any
    source_id = "1.2.156.112700.5"      # SubmissionSet.sourceId: the OID of the sender
    language = "zh-CN"
    time_zone = "+08:00"                # of times that do not say theirs; without it UTC

    [sender.codes]
    class_code = { code = "34133-9", scheme = "2.16.840.1.113883.6.1", name = "Summary" }
    type_code = { from = "TXA-2", table = "types" }

    [tables.types]
    DS = { code = "18842-5", scheme = "2.16.840.1.113883.6.1", name = "Discharge summary" }

A code is a constant, or is looked up in a table by what stands in a field; ``default`` is for what the table does not
have. What is wrong in the file is said with the key where it stands.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Final

from xds.datatypes.ids import is_oid
from xds.metadata.common import Code

#: The code attributes; those that are required have to be in the mapping of every sender (ITI TF-3, table 4.3.1.1-3)
REQUIRED: Final = (
    "class_code",
    "type_code",
    "format_code",
    "confidentiality_code",
    "healthcare_facility_type_code",
    "practice_setting_code",
    "content_type_code",
)
OPTIONAL: Final = ("event_code_list",)
_SENDER_KEYS: Final = ("application", "facility", "source_id", "language", "time_zone", "institution", "codes")
_CODE_KEYS: Final = ("code", "scheme", "name")
_LOOKUP_KEYS: Final = ("from", "table", "default")
_FIELD: Final = re.compile(r"(?P<segment>[A-Z][A-Z0-9]{2})-(?P<field>\d{1,3})(?:\.(?P<component>\d{1,2}))?\Z")
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)\Z")


class MappingError(ValueError):
    """The mapping file cannot be used; the text is one line that names the key."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a message: ``TXA-2``, ``OBR-4.1``; the first component where none is named."""

    segment: str
    field: int
    component: int = 1

    @classmethod
    def parse(cls, text: str) -> Place:
        match = _FIELD.match(text)
        if match is None:
            raise ValueError("write SEGMENT-FIELD or SEGMENT-FIELD.COMPONENT, for example OBR-4.1")
        return cls(match["segment"], int(match["field"]), int(match["component"] or 1))


@dataclass(frozen=True, slots=True)
class Lookup:
    """The code for what stands at ``place``: of a table, else ``default``."""

    place: Place
    table: Dict[str, Code]
    default: Code | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """What is agreed with one sender."""

    source_id: str
    codes: Dict[str, Code | Lookup]
    application: str | None = None
    facility: str | None = None
    language: str = "en-US"
    time_zone: tzinfo | None = None
    institution: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The senders of a mapping file. The first that matches counts."""

    senders: tuple[Sender, ...] = field(default=())

    def of(self, application: str, facility: str) -> Sender | None:
        """The sender with these first components of MSH-3 and MSH-4; None when there is none."""
        for sender in self.senders:
            if sender.application in (None, application) and sender.facility in (None, facility):
                return sender
        return None

    @classmethod
    def load(cls, path: Path | str) -> Mapping:
        """Read a mapping file. Raises OSError, MappingError."""
        try:
            data = tomllib.loads(Path(path).read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise MappingError(f"it is not TOML: {error}") from None
        return cls.read(data)

    @classmethod
    def read(cls, data: Dict[str, Any]) -> Mapping:
        """A mapping from what a TOML file holds. Raises MappingError."""
        _known(data, ("sender", "tables"), "the file")
        tables = {
            name: {key: _code(value, f"tables.{name}.{key}") for key, value in _table(rows, f"tables.{name}").items()}
            for name, rows in _table(data.get("tables", {}), "tables").items()
        }
        senders = data.get("sender", [])
        if not isinstance(senders, list) or not senders:
            raise MappingError("at least one [[sender]] is needed")
        return cls(tuple(_sender(row, f"sender {number}", tables) for number, row in enumerate(senders, 1)))


def _sender(row: Any, where: str, tables: Dict[str, Dict[str, Code]]) -> Sender:
    row = _table(row, where)
    _known(row, _SENDER_KEYS, where)
    texts = {key: _text(row[key], f"{where}: {key}") for key in _SENDER_KEYS[:-1] if key in row}
    source_id = texts.get("source_id", "")
    if not is_oid(source_id):
        raise MappingError(f"{where}: source_id must be an OID, that of the sending system")
    codes = _table(row.get("codes", {}), f"{where}: codes")
    _known(codes, (*REQUIRED, *OPTIONAL), f"{where}: codes")
    missing = [key for key in REQUIRED if key not in codes]
    if missing:
        raise MappingError(f"{where}: codes lacks {', '.join(missing)}")
    return Sender(
        source_id=source_id,
        codes={key: _code_or_lookup(value, f"{where}: codes.{key}", tables) for key, value in codes.items()},
        application=texts.get("application"),
        facility=texts.get("facility"),
        language=texts.get("language", "en-US"),
        time_zone=_offset(texts["time_zone"], where) if "time_zone" in texts else None,
        institution=texts.get("institution"),
    )


def _code_or_lookup(value: Any, where: str, tables: Dict[str, Dict[str, Code]]) -> Code | Lookup:
    row = _table(value, where)
    if "from" not in row:
        return _code(row, where)
    _known(row, _LOOKUP_KEYS, where)
    name = _text(row.get("table", ""), f"{where}.table")
    if name not in tables:
        raise MappingError(f"{where}: there is no [tables.{name}]")
    try:
        place = Place.parse(_text(row["from"], f"{where}.from"))
    except ValueError as error:
        raise MappingError(f"{where}.from: {error}") from None
    default = _code(row["default"], f"{where}.default") if "default" in row else None
    return Lookup(place, tables[name], default)


def _code(value: Any, where: str) -> Code:
    row = _table(value, where)
    _known(row, _CODE_KEYS, where)
    code, scheme = (_text(row.get(key, ""), f"{where}.{key}") for key in ("code", "scheme"))
    if not code or not scheme:
        raise MappingError(f"{where}: a code has code, scheme and name")
    return Code(code, scheme, _text(row.get("name", code), f"{where}.name"))


def _offset(text: str, where: str) -> tzinfo:
    match = _OFFSET.match(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise MappingError(f"{where}: time_zone must be an offset like +08:00")
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def _table(value: Any, where: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise MappingError(f"{where} must be a table")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise MappingError(f"{where} must be a text")
    return value


def _known(row: Dict[str, Any], keys: tuple[str, ...], where: str) -> None:
    unknown = [key for key in row if key not in keys]
    if unknown:
        raise MappingError(f"{where}: there is no {unknown[0]!r}; there are {', '.join(keys)}")
