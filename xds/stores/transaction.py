"""Reads and writes of one unit of work: ``ports.Transaction`` in SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from xds.errors import RegistryError, RequestRejected
from xds.metadata.identity import unique_id_conflicts
from xds.metadata.registry_object import RegistryObject
from xds.ports import Clock, PatientKey, PatientRecord, PreparedObjects, StagedDocument
from xds.stores import schema
from xds.stores import statements as sql
from xds.stores.compression import packed_content
from xds.stores.identities import IdentityWrites
from xds.stores.reader import Session, SqlReader
from xds.stores.rows import IdClaim, PreparedRows, Row, pack, prepare_objects, uuid_bytes
from xds.stores.schema import ContentFormat, PatientState
from xds.stores.statements import MAX_ROWS, chunks, padded
from xds.vocab.ebrim import ObjectKind, Status
from xds.vocab.errors import ErrorCode

TableRows = tuple[sa.Table, list[Row]]
_TIME_FORMAT: Final = "%Y%m%d%H%M%S"


def next_update_time(now: int, previous: int | None) -> int:
    """max(now, previous + 1 s), as YYYYMMDDhhmmss: lastUpdateTime moves on every change (ITI TF-3, 4.2.3.4.6)."""
    if previous is None or now > previous:
        return now
    moment = datetime.strptime(str(previous), _TIME_FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1)
    return int(moment.strftime(_TIME_FORMAT))


class SqlTransaction(IdentityWrites, SqlReader):
    """``ports.Transaction`` on SQLite, where the one writer excludes everybody else."""

    def __init__(self, session: Session, locate: Callable[[str], str], clock: Clock) -> None:
        super().__init__(session, locate)
        self._clock = clock
        self.content_written = 0  # bytes
        # files that nothing will refer to once this has committed: looked up again, then removed
        self.superfluous: list[str] = []

    # ----------------------------------------------------------------- patients

    def lock_patient(self, identifier: str, *, create: bool = False) -> PatientRecord | None:
        record = self.patient(identifier)
        if record is None and create:
            self.announce(identifier)
            record = self.patient(identifier)
        return record

    def announce(self, identifier: str) -> bool:
        created = int(self._clock().strftime(_TIME_FORMAT))
        statement = self._statements.insert(sql.patient_insert)
        return bool(self._session.rows(statement, (identifier, int(PatientState.ACTIVE), created)))

    # ----------------------------------------------------------------- objects

    def prepare(self, objects: Sequence[RegistryObject]) -> PreparedObjects:
        return prepare_objects(objects)

    def insert(self, prepared: PreparedObjects, patient: PatientKey) -> None:
        rows: PreparedRows = prepared.rows
        pack([rows])
        claimed = self._claim(rows.claims, patient)
        self._settle(rows.claims, claimed, patient)
        self._write(self._table_rows(rows, patient))

    def _claim(self, claims: Sequence[IdClaim], patient: PatientKey) -> set[bytes]:
        """Claim identifiers in their sorted order; those that were free."""
        claimed: set[bytes] = set()
        for part in chunks(claims, MAX_ROWS):
            statement = self._statements.insert(sql.directory_claim, len(part))
            claimed.update(row[0] for row in self._session.rows(statement, _claim_parameters(part, patient)))
        return claimed

    def _settle(self, claims: Sequence[IdClaim], claimed: set[bytes], patient: PatientKey) -> None:
        """Share or refuse the identifiers that somebody else holds (ITI TF-2, 3.42.4.1.3.3)."""
        if len(claimed) == len(claims):
            return
        fresh = set(claimed)
        taken: list[IdClaim] = []
        for claim in claims:
            if claim.identifier in fresh:
                fresh.discard(claim.identifier)  # a second claim of this submission on it is a conflict
            else:
                taken.append(claim)
        holders: dict[bytes, Any] = {}
        for row in self._holders(list({claim.identifier for claim in taken})):
            holders.setdefault(row[0], row)
        errors = [error for claim in taken for error in _conflicts(claim, holders[claim.identifier])]
        if errors:
            raise RequestRejected.of(errors)
        statement = self._statements.insert(sql.directory_share)
        for claim in taken:
            self._session.run(statement, (claim.identifier, claim.uuid, patient))

    def _table_rows(self, rows: PreparedRows, patient: PatientKey) -> list[TableRows]:
        key = (patient,)
        tables: list[TableRows] = [
            (schema.document_entry, [key + row for row in rows.entries]),
            (schema.submission_set, [key + row for row in rows.sets]),
            (schema.folder, [key + row for row in rows.folders]),
            (schema.association, self._association_rows(rows, patient)),
            (schema.object_code, [key + row for row in rows.codes]),
        ]
        return [(table, values) for table, values in tables if values]

    def _association_rows(self, rows: PreparedRows, patient: PatientKey) -> list[Row]:
        elsewhere = self._places(rows.outside) if rows.outside else {}
        result: list[Row] = []
        for row in rows.associations:
            under = [patient]
            for end in (row[5], row[6]):
                place = elsewhere.get(end)
                if place is not None and place[1] not in under:
                    under.append(place[1])
            result += [(key, *row[:-1], patient, row[-1]) for key in under]
        return result

    def _write(self, tables: Sequence[TableRows]) -> None:
        for table, rows in tables:
            for part in chunks(rows, MAX_ROWS):
                statement = self._statements.insert(sql.rows_insert, table, len(part))
                self._session.run(statement, [value for row in part for value in row])

    def set_status(self, entry_uuids: Collection[str], status: Status) -> None:
        for (kind, patient), uuids in self._grouped(entry_uuids).items():
            patients = {patient}
            if kind is ObjectKind.ASSOCIATION:
                patients |= self._copies(patient, uuids)
            for part in chunks(uuids):
                statement = self._statements.get(sql.status_update, kind, sql.places(len(part)))
                for key in sorted(patients):
                    self._session.run(statement, (int(status), key, *padded(part)))

    def touch_folders(self, entry_uuids: Collection[str], now: int) -> None:
        for (kind, patient), uuids in self._grouped(entry_uuids).items():
            if kind is not ObjectKind.FOLDER:
                raise ValueError("only folders have a lastUpdateTime")
            for uuid in sorted(uuids):
                rows = self._session.rows(self._statements.get(sql.folder_time_read), (patient, uuid))
                updated = next_update_time(now, rows[0][0])
                self._session.run(self._statements.get(sql.folder_time_update), (updated, patient, uuid))

    def _grouped(self, entry_uuids: Collection[str]) -> dict[tuple[ObjectKind, PatientKey], list[bytes]]:
        uuids = [uuid_bytes(text) for text in dict.fromkeys(entry_uuids)]
        places = self._places([value for value in uuids if value is not None])
        groups: dict[tuple[ObjectKind, PatientKey], list[bytes]] = {}
        for value in uuids:
            if value is None or value not in places:
                raise ValueError("an object to change is not registered")
            groups.setdefault(places[value], []).append(value)
        return groups

    def _copies(self, patient: PatientKey, uuids: Sequence[bytes]) -> set[PatientKey]:
        """Patients under whom these associations stand as well."""
        ends: set[bytes] = set()
        for part in chunks(uuids):
            statement = self._statements.get(sql.ends_read, sql.places(len(part)))
            for row in self._session.rows(statement, (patient, *padded(part))):
                ends.update(row)
        return {place[1] for place in self._places(ends).values()}

    # ----------------------------------------------------------------- documents

    def insert_document(self, unique_id: str, mime_type: str, staged: StagedDocument) -> None:
        format_, content = ContentFormat.FILE, None
        if staged.path is None:
            format_, content = packed_content(staged)
            self.content_written += len(content)
        row = (unique_id, mime_type, staged.size, staged.hash, int(format_), staged.path, content)
        if self._session.rows(self._statements.insert(sql.document_insert), row):
            return
        size, hash_, path = self._session.rows(self._statements.get(sql.document_same), (unique_id,))[0]
        if hash_ != staged.hash:
            raise RequestRejected(ErrorCode.NON_IDENTICAL_HASH, context=unique_id)
        if size != staged.size:
            raise RequestRejected(ErrorCode.NON_IDENTICAL_SIZE, context=unique_id)
        if staged.path is not None and staged.path != path:
            self.superfluous.append(staged.path)

    def delete_document(self, unique_id: str) -> None:
        for (path,) in self._session.rows(self._statements.get(sql.document_delete), (unique_id,)):
            if path is not None:
                self.superfluous.append(path)

    # ----------------------------------------------------------------- the journal

    def write_journal(self, kind: str, key: str, content: bytes) -> None:
        self._session.run(self._statements.insert(sql.journal_write), (kind, key, content))

    def erase_journal(self, kind: str, key: str) -> None:
        self._session.run(self._statements.get(sql.journal_erase), (kind, key))


def _claim_parameters(claims: Sequence[IdClaim], patient: PatientKey) -> list[Any]:
    values: list[Any] = []
    for c in claims:
        # an entryUUID is its own holder
        values += (c.identifier, int(c.kind), patient, None if c.is_uuid else c.uuid, c.hash, c.size)
    return values


def _conflicts(claim: IdClaim, holder: Sequence[Any]) -> list[RegistryError]:
    """Why ``claim`` cannot have an identifier that ``holder``, a row of the directory, has; empty when they share."""
    _, kind, _, uuid, hash_, size = holder
    if claim.is_uuid:
        text = f"entryUUID is already registered: {claim.text}"
        return [RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, text, claim.location)]
    if claim.first and claim.first == uuid:  # the first version of the same object: it claimed the uniqueId
        return []
    wanted, held = (claim.kind, claim.hash, claim.size), (ObjectKind(kind), hash_, size)
    return unique_id_conflicts(claim.text, wanted, held, claim.location)
