"""Reads on one snapshot: ``ports.Reader`` in SQL, for both databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, Protocol

from xds.ebxml import fragments
from xds.metadata.registry_object import RegistryObject
from xds.ports import Claim, Criteria, PatientKey, PatientRecord, StoredDocument, StoredObject
from xds.stores import statements as sql
from xds.stores.compression import decompressed
from xds.stores.find import (
    find_statement,
    has_author_patterns,
    has_patterns,
    parameters_of,
    select_by_patterns,
    shape_of,
)
from xds.stores.identities import IdentityReads
from xds.stores.rows import (
    newest_first,
    patient_of,
    shortened,
    stored,
    unique_identifier,
    uuid_bytes,
    uuid_identifier,
    uuid_text,
)
from xds.stores.schema import ContentFormat, PatientState
from xds.stores.statements import Statement, Statements, chunks, padded
from xds.vocab.ebrim import ObjectKind

_KIND: Final = {int(kind): kind for kind in ObjectKind}
Place = tuple[ObjectKind, PatientKey]


class Session(Protocol):
    """One open transaction on one connection."""

    statements: Statements

    def rows(self, statement: Statement, parameters: Sequence[Any]) -> list[Any]:
        """Run a statement and fetch its rows."""

    def run(self, statement: Statement, parameters: Sequence[Any]) -> None:
        """Run a statement that has no rows to fetch."""


class SqlReader(IdentityReads):
    """``ports.Reader``. ``locate`` gives the absolute path of a document file."""

    def __init__(self, session: Session, locate: Callable[[str], str]) -> None:
        self._session = session
        self._statements = session.statements
        self._locate = locate
        # patient key → surviving identifier, as far as this snapshot has seen
        self._shown: dict[PatientKey, str] = {}

    # ----------------------------------------------------------------- patients

    def patient(self, identifier: str) -> PatientRecord | None:
        rows = self._session.rows(self._statements.get(sql.patient_read), (identifier,))
        if not rows or rows[0][1] == PatientState.ABSENT:
            return None
        key, state = rows[0][0], rows[0][1]
        merged = [row[2] for row in rows if row[2] is not None]
        active = state == PatientState.ACTIVE
        if active:
            for tree_key in (key, *merged):
                self._shown[tree_key] = identifier
        return PatientRecord(key, identifier, active, (key, *sorted(merged)))

    def _show(self, patients: Iterable[PatientKey]) -> dict[PatientKey, str]:
        """The identifier that the objects of each patient show: the surviving one."""
        missing = [key for key in patients if key not in self._shown]
        for part in chunks(missing):
            statement = self._statements.get(sql.patient_identifiers, sql.places(len(part)))
            self._shown.update(self._session.rows(statement, padded(part)))
        return self._shown

    # ----------------------------------------------------------------- objects

    def find(self, criteria: Criteria, *, references: bool = False, limit: int | None = None) -> list[StoredObject]:
        if not criteria.patients:
            raise ValueError("a Find query names the patients it reads")
        patterns = has_patterns(criteria)
        bare = references and not has_author_patterns(criteria)
        rows: list[Any] = []
        for patients in chunks(criteria.patients):
            in_sql = None if patterns else limit
            shape = shape_of(
                criteria,
                patients,
                references=bare,
                packed=patterns,
                limited=in_sql is not None,
            )
            statement = self._statements.get(find_statement, shape)
            rows += self._session.rows(statement, parameters_of(criteria, patients, in_sql))
        if patterns:
            rows = select_by_patterns(criteria, rows, references=bare)
        rows.sort(key=newest_first)
        if limit is not None:
            del rows[limit:]
        return self._stored(criteria.kind, rows, references=references)

    def by_uuid(self, entry_uuids: Collection[str], *, references: bool = False) -> list[StoredObject]:
        wanted = {value: None for text in entry_uuids if (value := uuid_bytes(text)) is not None}
        found = self._by_places(self._places(wanted), references=references)
        return [found[value] for value in wanted if value in found]

    def by_unique_id(
        self, kind: ObjectKind, unique_ids: Collection[str], *, references: bool = False
    ) -> list[StoredObject]:
        held = self.claims(unique_ids)
        places: dict[bytes, Place] = {}
        for unique_id in dict.fromkeys(unique_ids):
            for claim in held.get(unique_id, ()):
                if claim.kind is kind:
                    value = uuid_bytes(claim.entry_uuid)
                    assert value is not None
                    places[value] = (kind, claim.patient)
        found = self._by_places(places, references=references)
        return [found[value] for value in places if value in found]

    def claims(self, unique_ids: Collection[str]) -> dict[str, list[Claim]]:
        held: dict[str, list[Claim]] = {}
        texts = {unique_identifier(unique_id): unique_id for unique_id in unique_ids}
        for row in self._holders(list(texts)):
            identifier, kind, patient, entry_uuid, hash_, size = row
            holders = held.setdefault(texts[identifier], [])
            if holders:  # a further holder: it shares kind, hash and size with the first
                first = holders[0]
                holders.append(
                    Claim(first.unique_id, first.kind, patient, uuid_text(entry_uuid), first.hash, first.size)
                )
            else:
                holders.append(Claim(texts[identifier], _KIND[kind], patient, uuid_text(entry_uuid), hash_, size))
        return held

    def associations(
        self,
        *,
        sources: Collection[str] = (),
        targets: Collection[str] = (),
        types: Collection[str] = (),
        references: bool = False,
        limit: int | None = None,
    ) -> list[StoredObject]:
        found: dict[bytes, Any] = {}
        ends = {
            "source": {value for text in sources if (value := uuid_bytes(text)) is not None},
            "target": {value for text in targets if (value := uuid_bytes(text)) is not None},
        }
        places = self._places(ends["source"] | ends["target"])
        wanted_types = sorted({shortened(str(t)) for t in types})
        for side, values in ends.items():
            by_patient: dict[PatientKey, list[bytes]] = defaultdict(list)
            for value in sorted(values):
                if value in places:
                    by_patient[places[value][1]].append(value)
            for patient, group in by_patient.items():
                for row in self._read_associations(side, patient, group, wanted_types, references=references):
                    found.setdefault(row[1], row)
        rows = sorted(found.values(), key=_uuid_of)[:limit]
        return self._stored(ObjectKind.ASSOCIATION, rows, references=references)

    def decode(self, stored: StoredObject) -> RegistryObject:
        return fragments.decode(stored)

    def slot_values(self, stored: StoredObject, name: str) -> tuple[str, ...]:
        return fragments.slot_values(stored.fragment, name)

    def document(self, unique_id: str) -> StoredDocument | None:
        rows = self._session.rows(self._statements.get(sql.document_read), (unique_id,))
        if not rows:
            return None
        mime_type, size, hash_, format_, path, content = rows[0]
        if format_ == ContentFormat.FILE:
            return StoredDocument(unique_id, mime_type, size, hash_, None, self._locate(path))
        if format_ == ContentFormat.ZSTD:
            content = decompressed(content, size)
        return StoredDocument(unique_id, mime_type, size, hash_, bytes(content))

    def journal(self, kind: str) -> list[tuple[str, bytes]]:
        rows = self._session.rows(self._statements.get(sql.journal_read), (kind,))
        return [(key, bytes(content)) for key, content in rows]

    # ----------------------------------------------------------------- parts

    def _places(self, uuids: Collection[bytes]) -> dict[bytes, Place]:
        """Where objects stand: their kind and patient."""
        places: dict[bytes, Place] = {}
        for part in chunks(list(uuids)):
            statement = self._statements.get(sql.directory_read, sql.places(len(part)))
            for identifier, kind, patient in self._session.rows(
                statement, padded([uuid_identifier(value) for value in part])
            ):
                places[identifier[1:]] = (_KIND[kind], patient)
        return places

    def _holders(self, identifiers: Sequence[bytes]) -> list[Any]:
        rows: list[Any] = []
        for part in chunks(identifiers):
            places = padded(part)
            rows += self._session.rows(self._statements.get(sql.holders_read, len(places)), (*places, *places))
        return rows

    def _by_places(self, places: dict[bytes, Place], *, references: bool) -> dict[bytes, StoredObject]:
        kinds: dict[ObjectKind, dict[PatientKey, list[bytes]]] = {}
        for value, (kind, patient) in places.items():
            kinds.setdefault(kind, {}).setdefault(patient, []).append(value)
        found: dict[bytes, StoredObject] = {}
        for kind, by_patient in kinds.items():
            rows = self._read_objects(kind, by_patient, references=references)
            objects = self._stored(kind, list(rows.values()), references=references)
            found.update(zip(rows, objects, strict=True))
        return found

    def _read_objects(
        self, kind: ObjectKind, by_patient: dict[PatientKey, list[bytes]], *, references: bool
    ) -> dict[bytes, Any]:
        rows: dict[bytes, Any] = {}
        for patient, uuids in by_patient.items():
            for part in chunks(uuids):
                statement = self._statements.get(sql.objects_read, kind, references, sql.places(len(part)))
                for row in self._session.rows(statement, (patient, *padded(part))):
                    rows[row[1]] = row
        return rows

    def _read_associations(
        self, side: str, patient: PatientKey, ends: list[bytes], types: list[str], *, references: bool
    ) -> list[Any]:
        rows: list[Any] = []
        shape = sql.places(len(types)) if types else 0
        for part in chunks(ends):
            statement = self._statements.get(sql.associations_read, side, references, sql.places(len(part)), shape)
            wanted = padded(types) if types else ()
            rows += self._session.rows(statement, (patient, *padded(part), *wanted))
        return rows

    def _stored(self, kind: ObjectKind, rows: Sequence[Any], *, references: bool) -> list[StoredObject]:
        if not rows:
            return []
        patients = [patient_of(kind, row) for row in rows]
        shown = self._show(set(patients))
        return [
            stored(kind, row, shown[patient], references=references)
            for row, patient in zip(rows, patients, strict=True)
        ]


def _uuid_of(row: Sequence[Any]) -> bytes:
    value: bytes = row[1]
    return value
