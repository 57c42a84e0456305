"""Registry objects → rows, and rows → ``StoredObject``: pure computation, before any lock is taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from xds.datatypes.time import dtm_number
from xds.ebxml import fragments
from xds.metadata.registry_object import RegistryObject, text_of
from xds.ports import PatientKey, PreparedObjects, StoredObject
from xds.stores.schema import SEPARATOR, TOKENS, CodeAttribute
from xds.vocab.ebrim import (
    STATUS_BY_URN,
    UNIQUE_ID_SCHEME,
    DocumentEntryType,
    IdScheme,
    ObjectKind,
    Scheme,
    SlotName,
    Status,
)

UUID_PREFIX: Final = "urn:uuid:"
Row = tuple[Any, ...]


# --------------------------------------------------------------------------- identifiers


def uuid_bytes(entry_uuid: str) -> bytes | None:
    """The 16 bytes of ``urn:uuid:…``; None for anything else, which no object here can have."""
    if not entry_uuid.startswith(UUID_PREFIX):
        return None
    try:
        value = bytes.fromhex(entry_uuid[9:].replace("-", ""))
    except ValueError:
        return None
    return value if len(value) == 16 and len(entry_uuid) == 45 else None


def uuid_text(value: bytes) -> str:
    h = value.hex()
    return f"urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def uuid_identifier(value: bytes) -> bytes:
    """How the directory writes an entryUUID."""
    return b"\0" + value


def unique_identifier(unique_id: str) -> bytes:
    """How the directory writes a uniqueId."""
    return unique_id.encode("utf-8", "surrogatepass")


# --------------------------------------------------------------------------- texts that are stored shorter

_TOKEN: Final = {text: token for token, text in TOKENS.items()}


@lru_cache(maxsize=4096)
def digest(text: str) -> int:
    """What stands for a text in columns that are only compared for equality: 48 bits of its SHA-256.

    They are compared within one patient's rows, where two texts meet by chance once in 10^14 pairs.
    """
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:6])


def shortened(urn: str) -> str:
    """What stands for a URN in a column that is read back."""
    return _TOKEN.get(urn, urn)


def _digest_of(text: str | None) -> int | None:
    return None if text is None else digest(text)


# --------------------------------------------------------------------------- objects → rows


@dataclass(frozen=True, slots=True)
class IdClaim:
    """An identifier that an object will hold. ``uuid`` is the object's entryUUID, ``location`` where it stood."""

    identifier: bytes
    kind: ObjectKind
    uuid: bytes
    hash: str | None
    size: int | None
    location: str
    first: bytes = b""  # entryUUID of the first version, for a later one: versions share their uniqueId

    @property
    def is_uuid(self) -> bool:
        return self.identifier[:1] == b"\0"

    @property
    def text(self) -> str:
        return uuid_text(self.uuid) if self.is_uuid else self.identifier.decode("utf-8", "surrogatepass")


@dataclass(slots=True)
class PreparedRows:
    """What ``PreparedObjects.rows`` holds: rows without their first column, the patient."""

    claims: list[IdClaim] = field(default_factory=list)  # sorted by identifier, so that locks are taken in one order
    entries: list[Row] = field(default_factory=list)
    sets: list[Row] = field(default_factory=list)
    folders: list[Row] = field(default_factory=list)
    associations: list[Row] = field(default_factory=list)
    codes: list[Row] = field(default_factory=list)
    outside: list[bytes] = field(default_factory=list)  # ends of associations that are not in this submission
    packed: bool = False  # the last column of an object is its fragment; before ``pack`` it is its XML


def prepare_objects(objects: Sequence[RegistryObject]) -> PreparedObjects:
    """``UnitOfWork.prepare``: a ValueError for an object the rules would refuse."""
    return PreparedObjects(prepare(objects), len(objects))


def pack(prepared: Iterable[PreparedRows]) -> None:
    """Compress the XML in rows that have not been packed; a whole group's at once is cheapest."""
    waiting = [rows for rows in prepared if not rows.packed]
    tables = [table for rows in waiting for table in (rows.entries, rows.sets, rows.folders, rows.associations)]
    packed = iter(fragments.pack([row[-1] for table in tables for row in table]))
    for table in tables:
        table[:] = [(*row[:-1], next(packed)) for row in table]
    for rows in waiting:
        rows.packed = True


def prepare(objects: Sequence[RegistryObject]) -> PreparedRows:
    """Rows of clean objects, not yet packed."""
    rows = PreparedRows()
    for obj in objects:
        if obj.kind is ObjectKind.UNKNOWN:
            raise ValueError("a RegistryPackage that is neither SubmissionSet nor Folder cannot be stored")
        _PREPARE[obj.kind](obj, fragments.render_with_holes(obj), rows)
    rows.claims.sort(key=_identifier_of)
    own = {claim.uuid for claim in rows.claims}
    for row in rows.associations:
        for end in (row[5], row[6]):
            if end not in own and end not in rows.outside:
                rows.outside.append(end)
    return rows


def _identifier_of(claim: IdClaim) -> bytes:
    return claim.identifier


def _entry_uuid(text: str | None) -> bytes:
    value = uuid_bytes(text or "")
    if value is None:
        raise ValueError("entryUUIDs are assigned before objects are stored")
    return value


def _time(obj: RegistryObject, name: str) -> int | None:
    values = obj.slots.get(name)
    return dtm_number(values[0]) if values else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _common(obj: RegistryObject) -> tuple[bytes, int, int, bytes]:
    uuid = _entry_uuid(obj.id)
    lid = b"" if obj.lid is None or obj.lid == obj.id else _entry_uuid(obj.lid)
    status = Status.APPROVED if obj.status is None else STATUS_BY_URN.get(obj.status, Status.APPROVED)
    return uuid, int(status), _number(obj.version) or 1, lid


def _packed(values: Iterable[str]) -> str | None:
    return SEPARATOR.join(values) or None


_CODES_OF_ENTRY: Final[dict[str, int]] = {
    Scheme.CLASS_CODE.value: 0,
    Scheme.TYPE_CODE.value: 1,
    Scheme.PRACTICE_SETTING_CODE.value: 2,
    Scheme.HEALTHCARE_FACILITY_TYPE_CODE.value: 3,
}
_FORMAT_CODE: Final = Scheme.FORMAT_CODE.value
_SEVERAL_OF_ENTRY: Final[dict[str, CodeAttribute]] = {
    Scheme.EVENT_CODE.value: CodeAttribute.event_code,
    Scheme.CONFIDENTIALITY_CODE.value: CodeAttribute.confidentiality_code,
}
# plain strings: looking a StrEnum up costs more than the dictionary does
_ENTRY_AUTHOR: Final = Scheme.DOCUMENT_ENTRY_AUTHOR.value
_CONTENT_TYPE: Final = Scheme.CONTENT_TYPE_CODE.value
_FOLDER_CODE: Final = Scheme.FOLDER_CODE.value
_CREATION_TIME: Final = SlotName.CREATION_TIME.value
_SERVICE_START: Final = SlotName.SERVICE_START_TIME.value
_SERVICE_STOP: Final = SlotName.SERVICE_STOP_TIME.value
_REFERENCES: Final = SlotName.REFERENCE_ID_LIST.value
_HASH: Final = SlotName.HASH.value
_SIZE: Final = SlotName.SIZE.value
_REPOSITORY: Final = SlotName.REPOSITORY_UNIQUE_ID.value
_SUBMISSION_TIME: Final = SlotName.SUBMISSION_TIME.value
_LAST_UPDATE_TIME: Final = SlotName.LAST_UPDATE_TIME.value
_CODING_SCHEME: Final = SlotName.CODING_SCHEME.value
_STABLE: Final = DocumentEntryType.STABLE.value
_SOURCE_ID: Final = IdScheme.SUBMISSION_SET_SOURCE_ID.value
_UNIQUE_ID: Final = {kind: scheme.value for kind, scheme in UNIQUE_ID_SCHEME.items()}


def _unique_id(obj: RegistryObject, scheme: str) -> str:
    value = obj.external_identifier(scheme)
    if not value:
        raise ValueError("an object without uniqueId cannot be stored")
    return value


def _claim(
    rows: PreparedRows,
    obj: RegistryObject,
    uuid: bytes,
    first: bytes,
    unique_id: str,
    hash_: str | None = None,
    size: int | None = None,
) -> None:
    rows.claims.append(IdClaim(uuid_identifier(uuid), obj.kind, uuid, None, None, obj.location))
    rows.claims.append(IdClaim(unique_identifier(unique_id), obj.kind, uuid, hash_, size, obj.location, first))


def _prepare_entry(obj: RegistryObject, content: bytes, rows: PreparedRows) -> None:
    uuid, status, version, lid = _common(obj)
    single: list[int | None] = [None, None, None, None]
    format_code: str | None = None
    confidentiality: list[str] = []
    codes: set[tuple[int, int]] = set()
    for c in obj.classifications:
        if c.scheme == _ENTRY_AUTHOR:
            continue
        scheme = c.slots.get(_CODING_SCHEME)
        value = f"{c.code or ''}^^{scheme[0] if scheme else ''}"
        if c.scheme in _CODES_OF_ENTRY:
            single[_CODES_OF_ENTRY[c.scheme]] = digest(value)
        elif c.scheme == _FORMAT_CODE:
            format_code = value
        elif c.scheme in _SEVERAL_OF_ENTRY:
            attribute = _SEVERAL_OF_ENTRY[c.scheme]
            codes.add((int(attribute), digest(value)))
            if attribute is CodeAttribute.confidentiality_code:
                confidentiality.append(value)
    references = obj.slots.get(_REFERENCES, ())
    codes.update((int(CodeAttribute.reference_id), digest(value)) for value in references)
    hash_ = obj.slot(_HASH)
    hash_ = hash_.lower() if hash_ else None
    size = _number(obj.slot(_SIZE))
    unique_id = _unique_id(obj, _UNIQUE_ID[ObjectKind.DOCUMENT_ENTRY])
    rows.entries.append(
        (
            uuid,
            status,
            version,
            lid,
            unique_id,
            shortened(str(obj.object_type or _STABLE)),
            _time(obj, _CREATION_TIME),
            _time(obj, _SERVICE_START),
            _time(obj, _SERVICE_STOP),
            *single,
            format_code,
            _packed(confidentiality),
            _packed(references),
            text_of(obj.name) if obj.name else None,
            _digest_of(obj.mime_type),
            _digest_of(obj.slot(_REPOSITORY)),
            content,
        )
    )
    rows.codes += [(uuid, attribute, value) for attribute, value in sorted(codes)]
    _claim(rows, obj, uuid, lid, unique_id, hash_, size)


def _prepare_set(obj: RegistryObject, content: bytes, rows: PreparedRows) -> None:
    uuid, status, version, lid = _common(obj)
    content_type: int | None = None
    for c in obj.classifications:
        if c.scheme == _CONTENT_TYPE:
            content_type = digest(f"{c.code or ''}^^{c.coding_scheme or ''}")
    unique_id = _unique_id(obj, _UNIQUE_ID[ObjectKind.SUBMISSION_SET])
    rows.sets.append(
        (
            uuid,
            status,
            version,
            lid,
            unique_id,
            _time(obj, _SUBMISSION_TIME),
            _digest_of(obj.external_identifier(_SOURCE_ID)),
            content_type,
            text_of(obj.name) if obj.name else None,
            content,
        )
    )
    _claim(rows, obj, uuid, lid, unique_id)


def _prepare_folder(obj: RegistryObject, content: bytes, rows: PreparedRows) -> None:
    uuid, status, version, lid = _common(obj)
    folder_codes = [c for c in obj.classifications if c.scheme == _FOLDER_CODE]
    codes = {digest(f"{c.code or ''}^^{c.coding_scheme or ''}") for c in folder_codes}
    unique_id = _unique_id(obj, _UNIQUE_ID[ObjectKind.FOLDER])
    title = text_of(obj.name) if obj.name else None
    rows.folders.append((uuid, status, version, lid, unique_id, _time(obj, _LAST_UPDATE_TIME), title, content))
    rows.codes += [(uuid, int(CodeAttribute.folder_code), value) for value in sorted(codes)]
    _claim(rows, obj, uuid, lid, unique_id)


def _prepare_association(obj: RegistryObject, content: bytes, rows: PreparedRows) -> None:
    uuid, status, version, lid = _common(obj)
    source, target = _entry_uuid(obj.source), _entry_uuid(obj.target)
    kind = shortened(str(obj.association_type or ""))
    rows.associations.append((uuid, status, version, lid, kind, source, target, content))
    rows.claims.append(IdClaim(uuid_identifier(uuid), obj.kind, uuid, None, None, obj.location))


_PREPARE: Final = {
    ObjectKind.DOCUMENT_ENTRY: _prepare_entry,
    ObjectKind.SUBMISSION_SET: _prepare_set,
    ObjectKind.FOLDER: _prepare_folder,
    ObjectKind.ASSOCIATION: _prepare_association,
}


# --------------------------------------------------------------------------- rows → objects

_STATUS: Final = {int(status): status for status in Status}


def stored(kind: ObjectKind, row: Sequence[Any], patient_id: str, *, references: bool) -> StoredObject:
    """The object of a row with the columns ``statements.STORED_COLUMNS[kind]``, and the fragment unless references."""
    entry_uuid = uuid_text(row[1])
    obj = StoredObject(
        kind,
        entry_uuid,
        row[0],
        patient_id,
        _STATUS[row[2]],
        uuid_text(row[4]) if row[4] else entry_uuid,
        row[3],
        b"",
    )
    if kind is ObjectKind.DOCUMENT_ENTRY:
        obj.unique_id = row[5]
        obj.object_type = TOKENS.get(row[7], row[7])
        obj.format_code = row[8] or ""
        obj.confidentiality_codes = tuple(row[9].split(SEPARATOR)) if row[9] else ()
        if not references:
            obj.fragment = row[10]
    elif kind is ObjectKind.ASSOCIATION:
        obj.association_type = TOKENS.get(row[5], row[5])
        obj.source = uuid_text(row[6])
        obj.target = uuid_text(row[7])
        obj.patient = row[8]
        if not references:
            obj.fragment = row[9]
    else:
        obj.unique_id = row[5]
        if kind is ObjectKind.FOLDER:
            obj.last_update_time = row[6]
        if not references:
            obj.fragment = row[7]
    return obj


def newest_first(row: Sequence[Any]) -> tuple[int, bytes]:
    """Sort key of a Find query: the time at index 6, newest first, then the entryUUID."""
    return (-(row[6] or 0), row[1])


def patient_of(kind: ObjectKind, row: Sequence[Any]) -> PatientKey:
    """The patient an object lives with; an association may have been found under another one."""
    key: PatientKey = row[8] if kind is ObjectKind.ASSOCIATION else row[0]
    return key
