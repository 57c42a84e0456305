"""Random queries, put to the registry and to the naive model; what they answer must be the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.model.naive import APPROVED, AS, DE, DEPRECATED, FD, SS, NaiveRegistry, Range, Thing, Wanted
from tests.model.sequences import (
    AUTHOR_PATTERNS,
    CLASSES,
    CODING_SCHEME,
    CONFIDENTIALITY,
    EVENTS,
    FORMATS,
    REFERENCE_PATTERNS,
    Universe,
    random_time,
)
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject
from xds.metadata.requests import AdhocQuery
from xds.ports import StoredObject
from xds.registry import DocumentRegistry
from xds.vocab.ebrim import AssociationType, DocumentEntryType, ObjectKind, Status
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import STORED_QUERIES

BY_NAME = {query.name: query for query in STORED_QUERIES}
RELATION_TYPES = [t for t in AssociationType if t is not AssociationType.HAS_MEMBER]

Identity = tuple[str, ...]
Parameters = list[tuple[str, object]]


class Asking:
    """Asks both sides the same question and compares."""

    def __init__(self, registry: DocumentRegistry, model: NaiveRegistry, universe: Universe) -> None:
        self.registry, self.model, self.u = registry, model, universe
        self.r: Random = universe.random
        # (type, source, target) of associations the registry made itself have ids of its own choice
        self.made: dict[str, Identity] = {}
        self.queries = self.with_results = 0

    # ------------------------------------------------------------------ the real side

    def ask(self, name: str, *parameters: tuple[str, object], leaf: bool = True) -> list[StoredObject]:
        query = AdhocQuery(
            query_id=BY_NAME[name].id,
            return_type="LeafClass" if leaf else "ObjectRef",
            parameters=tuple((key, (_wire(value),)) for key, value in parameters),
        )
        return list(self.registry.query(query).objects)

    def compare(self, name: str, expected: list[Thing] | set[str], *parameters: tuple[str, object]) -> None:
        things = [self.model.get(e) for e in expected] if isinstance(expected, set) else expected
        wanted = sorted(self.identity(t.o, t.status) for t in things if t is not None)
        several = len({t.patient for t in things if t is not None and t.kind is not AS}) > 1
        refused: RequestRejected | None = None
        try:
            found = self.ask(name, *parameters)
        except RequestRejected as error:
            refused = error
        if refused is None:
            assert sorted(self.stored_identity(o) for o in found) == wanted, (name, parameters)
        else:
            assert several, (name, parameters, refused)  # only a mixture of patients is refused here
            assert refused.code == ErrorCode.RESULT_NOT_SINGLE_PATIENT
        found = self.ask(name, *parameters, leaf=False)
        assert len(found) == len(wanted), (name, parameters, "ObjectRef")
        self.queries += 2
        self.with_results += 2 * bool(wanted)

    def identity(self, o: RegistryObject, status: str) -> Identity:
        if o.kind is AS:
            source, target = self.end(o.source), self.end(o.target)
            return ("association", str(o.association_type), source, target)
        return ("object", o.id, status)

    def end(self, uuid: str | None) -> str:
        """An association end that everybody can name: an association is named by its own ends."""
        thing = self.model.get(uuid)
        if thing is not None and thing.kind is AS:
            return f"{thing.o.source}->{thing.o.target}"
        return uuid or ""

    def stored_identity(self, o: StoredObject) -> Identity:
        if o.kind is not ObjectKind.ASSOCIATION:
            return ("object", o.entry_uuid, APPROVED if o.status is Status.APPROVED else DEPRECATED)
        return ("association", o.association_type, o.source, self.stored_end(o.target))

    def stored_end(self, uuid: str) -> str:
        if uuid in self.made:
            return "->".join(self.made[uuid])
        thing = self.model.get(uuid)
        if thing is None:  # made by the registry: ask it
            store = self.registry.store
            [made] = store.read(lambda reader: reader.by_uuid([uuid]))
            self.made[uuid] = (made.source, made.target)
            return "->".join(self.made[uuid])
        return self.end(uuid)

    # ------------------------------------------------------------------ questions

    def anything(self) -> None:
        self.r.choice(
            (
                self.find_documents,
                self.find_packages,
                self.get_all,
                self.by_ids,
                self.touching,
                self.get_submission_sets,
                self.submission_set_and_contents,
                self.folder_and_contents,
                self.folders_for_document,
                self.related_documents,
            )
        )()

    def statuses(self) -> list[str]:
        return self.r.choice(([APPROVED], [DEPRECATED], [APPROVED, DEPRECATED]))

    def some(self, kind: ObjectKind) -> list[Thing]:
        known = self.model.of(kind)
        return self.r.sample(known, min(len(known), self.r.randint(1, 3)))

    def sometimes(self, chance: float) -> bool:
        return self.r.random() < chance

    def groups(self, values: Sequence[str]) -> list[list[str]]:
        """What a parameter that may repeat asks for: each of one or two lists."""
        return [self.r.sample(values, self.r.randint(1, 2)) for _ in range(self.r.randint(1, 2))]

    def content_filters(self) -> tuple[Wanted, Parameters]:
        """The filters on DocumentEntries that FindDocuments, GetAll and the ...AndContents queries share."""
        wanted, parameters = Wanted(), list[tuple[str, object]]()
        if self.sometimes(0.4):
            types = self.r.sample(list(DocumentEntryType), self.r.randint(1, 2))
            wanted.types = {str(kind) for kind in types}
            parameters.append(("$XDSDocumentEntryType", [str(kind) for kind in types]))
        if self.sometimes(0.3):
            formats = self.r.sample(FORMATS, self.r.choice((1, 1, 2)))
            wanted.format_code = {_code(c) for c in formats}
            parameters.append(("$XDSDocumentEntryFormatCode", [_code(c) for c in formats]))
        if self.sometimes(0.3):
            groups = self.groups(CONFIDENTIALITY)
            wanted.confidentiality = [{_code(c) for c in group} for group in groups]
            parameters += [("$XDSDocumentEntryConfidentialityCode", [_code(c) for c in group]) for group in groups]
        return wanted, parameters

    def times(self, name: str) -> tuple[Range, Parameters]:
        """One bound or both, of any precision; nothing says that From is before To."""
        start, end = (random_time(self.r) for _ in range(2))
        bounds = self.r.choice(((start, end), (min(start, end), max(start, end)), (start, None), (None, end)))
        return bounds, [(name + side, int(bound)) for side, bound in zip(("From", "To"), bounds, strict=True) if bound]

    def find_documents(self) -> None:
        patient, statuses = self.u.patient(), self.statuses()
        wanted, parameters = self.content_filters()
        name = "FindDocuments"
        if self.sometimes(0.3):
            code = self.r.choice(CLASSES)
            wanted.class_code = {_code(code)}
            parameters.append(("$XDSDocumentEntryClassCode", [_code(code)]))
        if self.sometimes(0.3):
            groups = self.groups(EVENTS)
            wanted.event_codes = [{_code(c) for c in group} for group in groups]
            parameters += [("$XDSDocumentEntryEventCodeList", [_code(c) for c in group]) for group in groups]
        if self.sometimes(0.4):
            wanted.created, bounds = self.times("$XDSDocumentEntryCreationTime")
            parameters += bounds
        if self.sometimes(0.4):
            wanted.started, bounds = self.times("$XDSDocumentEntryServiceStartTime")
            parameters += bounds
        if self.sometimes(0.3):
            patterns = self.r.sample(AUTHOR_PATTERNS, self.r.choice((1, 1, 2)))
            wanted.authors = set(patterns)
            parameters.append(("$XDSDocumentEntryAuthorPerson", patterns))
        if self.sometimes(0.3):
            name, groups = "FindDocumentsByReferenceId", self.groups(REFERENCE_PATTERNS)
            wanted.reference_ids = [set(group) for group in groups]
            parameters += [("$XDSDocumentEntryReferenceIdList", group) for group in groups]
        self.compare(
            name,
            self.model.find_documents(patient, statuses, wanted),
            ("$XDSDocumentEntryPatientId", patient),
            ("$XDSDocumentEntryStatus", [_status(s) for s in statuses]),
            *parameters,
        )

    def find_packages(self) -> None:
        kind, name, prefix = self.r.choice(
            ((SS, "FindSubmissionSets", "$XDSSubmissionSet"), (FD, "FindFolders", "$XDSFolder"))
        )
        patient, statuses = self.u.patient(), self.statuses()
        self.compare(
            name,
            self.model.find(kind, patient, statuses),
            (prefix + "PatientId", patient),
            (prefix + "Status", [_status(s) for s in statuses]),
        )

    def get_all(self) -> None:
        patient, statuses = self.u.patient(), self.statuses()
        status = [_status(s) for s in statuses]
        wanted, parameters = self.content_filters()
        self.compare(
            "GetAll",
            self.model.get_all(patient, statuses, wanted),
            ("$patientId", patient),
            ("$XDSDocumentEntryStatus", status),
            ("$XDSSubmissionSetStatus", status),
            ("$XDSFolderStatus", status),
            *parameters,
        )

    def by_ids(self) -> None:
        kind, name, prefix = self.r.choice(
            (
                (DE, "GetDocuments", "$XDSDocumentEntry"),
                (FD, "GetFolders", "$XDSFolder"),
                (DE, "GetDocumentsAndAssociations", "$XDSDocumentEntry"),
            )
        )
        chosen = self.some(kind)
        if not chosen:
            return
        if self.r.random() < 0.5:
            uuids = [t.id for t in chosen] + [self.u.new_uuid()]
            things = self.model.by_ids(kind, uuids)
            parameter: tuple[str, object] = (prefix + "EntryUUID", uuids)
        else:
            unique_ids = list(dict.fromkeys(str(t.o.unique_id) for t in chosen))
            things = self.model.by_ids(kind, unique_ids=unique_ids)
            parameter = (prefix + "UniqueId", unique_ids)
        if name == "GetDocumentsAndAssociations":
            things = things + self.model.touching(t.id for t in things)
        self.compare(name, things, parameter)

    def touching(self) -> None:
        uuids = [t.id for t in [*self.some(DE), *self.some(SS), *self.some(FD)]]
        if uuids:
            self.compare("GetAssociations", self.model.touching(uuids), ("$uuid", uuids))

    def get_submission_sets(self) -> None:
        uuids = [t.id for t in [*self.some(DE), *self.some(FD)]]
        if uuids:
            self.compare("GetSubmissionSets", self.model.get_submission_sets(uuids), ("$uuid", uuids))

    def submission_set_and_contents(self) -> None:
        self._contents(SS, "GetSubmissionSetAndContents", "$XDSSubmissionSet")

    def folder_and_contents(self) -> None:
        self._contents(FD, "GetFolderAndContents", "$XDSFolder")

    def _contents(self, kind: ObjectKind, name: str, prefix: str) -> None:
        for package in self.some(kind)[:1]:
            parameters: list[tuple[str, object]] = [(prefix + "EntryUUID", package.id)]
            if self.r.random() < 0.5:
                parameters = [(prefix + "UniqueId", str(package.o.unique_id))]
            wanted, filters = self.content_filters()
            self.compare(name, self.model.contents(package, wanted), *parameters, *filters)

    def folders_for_document(self) -> None:
        for entry in self.some(DE)[:1]:
            expected = self.model.folders_for(entry.id)
            self.compare("GetFoldersForDocument", expected, ("$XDSDocumentEntryEntryUUID", entry.id))

    def related_documents(self) -> None:
        for entry in self.some(DE)[:1]:
            types = [str(t) for t in self.r.sample(RELATION_TYPES, 3)]
            self.compare(
                "GetRelatedDocuments",
                self.model.related(entry.id, types, Wanted()),
                ("$XDSDocumentEntryEntryUUID", entry.id),
                ("$AssociationTypes", types),
            )


def _status(word: str) -> str:
    return f"urn:oasis:names:tc:ebxml-regrep:StatusType:{word}"


def _code(code: str) -> str:
    return f"{code}^^{CODING_SCHEME}"


def _wire(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    assert isinstance(value, list)
    return "(" + ",".join(_wire(v) for v in value) + ")"
