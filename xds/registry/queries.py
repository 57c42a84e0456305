"""What each stored query returns (ITI TF-2, 3.18.4.1.2.3.7): one function each, over ``ports.Reader``.

All of them return whole stored objects, or ones without fragments when only references were asked for, in a stable
order; none returns more than the domain's limit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from xds.errors import RequestRejected
from xds.ports import PatientKey, Reader, StoredObject
from xds.registry.criteria import criteria_for, entry_types
from xds.registry.parameters import Arguments
from xds.registry.patients import identifier_in
from xds.vocab import queries as rows
from xds.vocab.ebrim import AssociationType, ObjectKind, Status
from xds.vocab.errors import ErrorCode

# How many Associations a query may look at, in answers of the largest size, and at least
_WORK_FACTOR: Final = 4
_WORK_LEAST: Final = 1_000
_LAST_VERSIONS: Final = ("", "1")  # the $MetadataLevel that does not show older ones
_HAS_MEMBER: Final = (AssociationType.HAS_MEMBER.value,)
_DE, _SS, _FD, _AS = (
    ObjectKind.DOCUMENT_ENTRY,
    ObjectKind.SUBMISSION_SET,
    ObjectKind.FOLDER,
    ObjectKind.ASSOCIATION,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Under which conditions a query runs: the snapshot, the form of its answer, and the domain's policies."""

    reader: Reader
    references: bool  # ObjectRef was asked for: fragments are not needed
    max_results: int
    unknown_patient: str  # "empty" or "error"
    translate_to: str = ""  # OID of the affinity domain, where other identifiers of a person will do (D13)

    def patients(self, identifier: str) -> tuple[PatientKey, ...]:
        """The keys to read for an identifier: its merge tree; none when it is unknown or was merged away (D12)."""
        record = self.reader.patient(identifier)
        if record is None and self.translate_to and (own := identifier_in(self.reader, self.translate_to, identifier)):
            record = self.reader.patient(own)
        if record is not None and record.active:
            return record.tree
        if self.unknown_patient == "error":
            raise RequestRejected(ErrorCode.UNKNOWN_PATIENT_ID, context=identifier)
        return ()

    def bounded(self, objects: list[StoredObject]) -> list[StoredObject]:
        """``objects``, when they are not too many (XDSTooManyResults)."""
        return _at_most(self.max_results, objects)

    def associations(
        self,
        *,
        sources: Collection[str] = (),
        targets: Collection[str] = (),
        types: Collection[str] = (),
        statuses: Collection[Status] | None = None,
        references: bool = False,
    ) -> list[StoredObject]:
        """Associations of ``sources`` or ``targets``, in these statuses when given.

        Not all of them need to be part of the answer, so there may be more than it may hold, within reason.
        """
        if not sources and not targets:
            return []
        limit = max(_WORK_FACTOR * self.max_results, _WORK_LEAST)
        found = self.reader.associations(
            sources=sources, targets=targets, types=types, references=self.references or references, limit=limit + 1
        )
        _at_most(limit, found)
        return found if statuses is None else [a for a in found if a.status in statuses]

    def by_uuid(self, entry_uuids: Iterable[str]) -> list[StoredObject]:
        """The objects with these ids, each once."""
        wanted = list(dict.fromkeys(entry_uuids))
        return self.reader.by_uuid(wanted, references=self.references) if wanted else []


def _at_most(limit: int, objects: list[StoredObject]) -> list[StoredObject]:
    if len(objects) > limit:
        raise RequestRejected(ErrorCode.TOO_MANY_RESULTS, context=f"more than {limit} objects match: narrow the query")
    return objects


def run(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """The answer to a query whose arguments were read; RequestRejected when it must not be given."""
    objects = scope.bounded(_QUERIES[arguments.query.id](scope, arguments))
    if arguments.query.single_patient and not scope.references:
        _require_single_patient(objects)
    return objects


def _require_single_patient(objects: Iterable[StoredObject]) -> None:
    # 3.18.4.1.2.3.7: ids of one merge chain show the surviving id, so they count as one
    patients = {o.patient_id for o in objects if o.kind is not _AS}
    if len(patients) > 1:
        raise RequestRejected(
            ErrorCode.RESULT_NOT_SINGLE_PATIENT,
            context="the objects belong to several patients: ask for ObjectRef, then for each patient",
        )


# --------------------------------------------------------------------------- Find…


def _find(
    scope: Scope, arguments: Arguments, kind: ObjectKind, patient_parameter: str, status_parameter: str
) -> list[StoredObject]:
    patients = scope.patients(arguments.one(patient_parameter))
    if not patients:
        return []
    criteria = criteria_for(kind, arguments, patients, arguments.statuses(status_parameter))
    return scope.reader.find(criteria, references=scope.references, limit=scope.max_results + 1)


def find_documents(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """FindDocuments and its relatives by reference id, by title, with exclusions."""
    return _find(scope, arguments, _DE, rows.DOCUMENT_ENTRY_PATIENT_ID, rows.DOCUMENT_ENTRY_STATUS)


def find_submission_sets(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """FindSubmissionSets."""
    return _find(scope, arguments, _SS, rows.SUBMISSION_SET_PATIENT_ID, rows.SUBMISSION_SET_STATUS)


def find_folders(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """FindFolders."""
    return _find(scope, arguments, _FD, rows.FOLDER_PATIENT_ID, rows.FOLDER_STATUS)


def get_all(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetAll: the patient's objects in the statuses asked for, and every Association that touches one of them."""
    patients = scope.patients(arguments.one(rows.PATIENT_ID))
    if not patients:
        return []
    objects: list[StoredObject] = []
    for kind, parameter in (
        (_SS, rows.SUBMISSION_SET_STATUS),
        (_DE, rows.DOCUMENT_ENTRY_STATUS),
        (_FD, rows.FOLDER_STATUS),
    ):
        own = arguments if kind is _DE else Arguments(arguments.query, {})  # the filters are a DocumentEntry's
        criteria = criteria_for(kind, own, patients, arguments.statuses(parameter))
        room = scope.max_results + 1 - len(objects)
        objects += scope.reader.find(criteria, references=scope.references, limit=room)
        scope.bounded(objects)
    ends = [o.entry_uuid for o in objects]
    return objects + scope.associations(sources=ends, targets=ends, statuses=_association_statuses(arguments))


# --------------------------------------------------------------------------- Get… by identifiers


def _identified(
    scope: Scope, arguments: Arguments, kind: ObjectKind, uuid: str, unique_id: str, logical_id: str = ""
) -> list[StoredObject]:
    """The objects of ``kind`` that a query names by one of its alternatives; missing ones are left out.

    All versions of an object have one uniqueId and one logicalID. Who does not ask for $MetadataLevel 2 gets the last
    version (Metadata Update, 3.18), as if there had never been another; an entryUUID names one version, and gets it.
    """
    if entry_uuids := arguments.many(uuid):
        return [o for o in scope.by_uuid(entry_uuids) if o.kind is kind]
    if unique_ids := arguments.many(unique_id):
        found = scope.reader.by_unique_id(kind, list(dict.fromkeys(unique_ids)), references=scope.references)
    else:
        found = _versions(scope, kind, list(dict.fromkeys(arguments.many(logical_id))))
    if (arguments.get(rows.METADATA_LEVEL) or "").lstrip("0") not in _LAST_VERSIONS:
        return found
    last: dict[str, int] = {}
    for o in found:
        last[o.lid] = max(o.version, last.get(o.lid, 0))
    return [o for o in found if o.version == last[o.lid]]


def _versions(scope: Scope, kind: ObjectKind, logical_ids: list[str]) -> list[StoredObject]:
    """All versions of logical objects, in the order asked; a version may be another patient's (ITI TF-2, 3.64)."""
    # a logicalID is the entryUUID of the first version (ITI TF-3, 4.2.3.2.30); the others share its uniqueId
    firsts = [o for o in scope.reader.by_uuid(logical_ids, references=True) if o.kind is kind]
    unique_ids = list(dict.fromkeys(o.unique_id for o in firsts))
    if not unique_ids:
        return []
    order = {logical_id: place for place, logical_id in enumerate(logical_ids)}
    found = scope.reader.by_unique_id(kind, unique_ids, references=scope.references)
    return sorted((o for o in found if o.lid in order), key=lambda o: (order[o.lid], o.version))


def _entries(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    return _identified(
        scope,
        arguments,
        _DE,
        rows.DOCUMENT_ENTRY_UUID,
        rows.DOCUMENT_ENTRY_UNIQUE_ID,
        rows.DOCUMENT_ENTRY_LOGICAL_ID,
    )


def _association_statuses(arguments: Arguments) -> tuple[Status, ...]:
    """Approved when the query does not say (Metadata Update, $XDSAssociationStatus)."""
    return arguments.statuses(rows.ASSOCIATION_STATUS) or (Status.APPROVED,)


def get_documents(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetDocuments: in any status; one uniqueId may name several entries."""
    return _entries(scope, arguments)


def get_folders(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetFolders."""
    return _identified(scope, arguments, _FD, rows.FOLDER_UUID, rows.FOLDER_UNIQUE_ID, rows.FOLDER_LOGICAL_ID)


def get_associations(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetAssociations: those that touch one of the objects."""
    uuids = arguments.many(rows.UUIDS)
    return scope.associations(sources=uuids, targets=uuids, statuses=_association_statuses(arguments))


def get_documents_and_associations(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetDocumentsAndAssociations: the entries, and the Associations that touch them."""
    entries = _entries(scope, arguments)
    ends = [o.entry_uuid for o in entries]
    return entries + scope.associations(sources=ends, targets=ends, statuses=_association_statuses(arguments))


def get_submission_sets(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetSubmissionSets: the sets that brought these entries or folders, with the HasMembers that say so."""
    members = scope.associations(targets=arguments.many(rows.UUIDS), types=_HAS_MEMBER)
    sets = [o for o in scope.by_uuid(m.source for m in members) if o.kind is _SS]
    ids = {o.entry_uuid for o in sets}
    return sets + [m for m in members if m.source in ids]


def get_folders_for_document(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetFoldersForDocument: the folders that hold the entry, without the Associations."""
    entries = _entries(scope, arguments)
    members = scope.associations(
        targets=[o.entry_uuid for o in entries],
        types=_HAS_MEMBER,
        statuses=_association_statuses(arguments),
        references=True,
    )
    return [o for o in scope.by_uuid(m.source for m in members) if o.kind is _FD]


def get_related_documents(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetRelatedDocuments: Associations of the types between the entry and other entries, and both their ends."""
    ends = [o.entry_uuid for o in _entries(scope, arguments)]
    related = scope.associations(
        sources=ends,
        targets=ends,
        types=arguments.many(rows.ASSOCIATION_TYPES),
        statuses=_association_statuses(arguments),
    )
    types = entry_types(arguments)
    entries = {
        o.entry_uuid: o
        for o in scope.by_uuid(end for a in related for end in (a.source, a.target))
        if o.kind is _DE and o.object_type in types
    }
    joined = [a for a in related if a.source in entries and a.target in entries]
    touched = {end for a in joined for end in (a.source, a.target)}
    return [o for uuid, o in entries.items() if uuid in touched] + joined


# --------------------------------------------------------------------------- …AndContents


def _accepted(arguments: Arguments) -> Callable[[StoredObject], bool]:
    """The DocumentEntry filters of the ...AndContents queries (3.18.4.1.2.3.7.10 and .11)."""
    types = entry_types(arguments)
    formats = arguments.many("$XDSDocumentEntryFormatCode")
    groups = arguments.groups.get("$XDSDocumentEntryConfidentialityCode", ())

    def accepts(entry: StoredObject) -> bool:
        return (
            entry.object_type in types
            and (not formats or entry.format_code in formats)
            and all(any(code in group for code in entry.confidentiality_codes) for group in groups)
        )

    return accepts


def get_submission_set_and_contents(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetSubmissionSetAndContents: the set, its entries (filtered) and folders with the HasMembers to them, and its
    member Associations that join two returned objects with the HasMembers to those.
    """
    sets = _identified(scope, arguments, _SS, rows.SUBMISSION_SET_UUID, rows.SUBMISSION_SET_UNIQUE_ID)
    if not sets:
        return []
    members = scope.associations(sources=[sets[0].entry_uuid], types=_HAS_MEMBER)
    contents = scope.by_uuid(m.target for m in members)
    accepts = _accepted(arguments)
    chosen = [o for o in contents if o.kind is _FD or (o.kind is _DE and accepts(o))]
    ids = {o.entry_uuid for o in chosen}
    joins = [a for a in contents if a.kind is _AS and a.source in ids and a.target in ids]
    ids.update(a.entry_uuid for a in joins)
    return [*sets, *chosen, *(m for m in members if m.target in ids), *joins]


def get_folder_and_contents(scope: Scope, arguments: Arguments) -> list[StoredObject]:
    """GetFolderAndContents: the folder, its entries (filtered), the HasMembers that join them."""
    folders = _identified(scope, arguments, _FD, rows.FOLDER_UUID, rows.FOLDER_UNIQUE_ID)
    if not folders:
        return []
    members = scope.associations(
        sources=[o.entry_uuid for o in folders], types=_HAS_MEMBER, statuses=_association_statuses(arguments)
    )
    accepts = _accepted(arguments)
    entries = [o for o in scope.by_uuid(m.target for m in members) if o.kind is _DE and accepts(o)]
    ids = {o.entry_uuid for o in entries}
    return [*folders, *entries, *(m for m in members if m.target in ids)]


_QUERIES: Final[dict[str, Callable[[Scope, Arguments], list[StoredObject]]]] = {
    rows.FIND_DOCUMENTS.id: find_documents,
    rows.FIND_DOCUMENTS_BY_REFERENCE_ID.id: find_documents,
    rows.FIND_DOCUMENTS_BY_TITLE.id: find_documents,
    rows.FIND_DOCUMENTS_EXCLUDE.id: find_documents,
    rows.FIND_SUBMISSION_SETS.id: find_submission_sets,
    rows.FIND_FOLDERS.id: find_folders,
    rows.GET_ALL.id: get_all,
    rows.GET_DOCUMENTS.id: get_documents,
    rows.GET_FOLDERS.id: get_folders,
    rows.GET_ASSOCIATIONS.id: get_associations,
    rows.GET_DOCUMENTS_AND_ASSOCIATIONS.id: get_documents_and_associations,
    rows.GET_SUBMISSION_SETS.id: get_submission_sets,
    rows.GET_SUBMISSION_SET_AND_CONTENTS.id: get_submission_set_and_contents,
    rows.GET_FOLDER_AND_CONTENTS.id: get_folder_and_contents,
    rows.GET_FOLDERS_FOR_DOCUMENT.id: get_folders_for_document,
    rows.GET_RELATED_DOCUMENTS.id: get_related_documents,
}
