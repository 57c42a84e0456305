"""The registry against the naive model, over random sequences of submissions and queries.

``XDS_SEQUENCES`` sets how many sequences run (the evidence lane runs thousands), ``XDS_SEED`` where they start.
A failure names its seed: ``XDS_SEED=… XDS_SEQUENCES=1`` runs just that one again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.model.naive import APPROVED, AS, DE, DEPRECATED, FD, SS, NaiveRegistry, Thing
from tests.model.sequences import CLASSES, CODING_SCHEME, CONFIDENTIALITY, EVENTS, Universe, submission
from xds.datatypes.time import dtm_number
from xds.errors import RequestRejected
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.requests import AdhocQuery
from xds.ports import StoredObject
from xds.registry import DocumentRegistry
from xds.stores import open_store
from xds.vocab.ebrim import AssociationType, ObjectKind, Scheme, Status
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import STORED_QUERIES

SEQUENCES = int(os.environ.get("XDS_SEQUENCES", "60"))
SEED = int(os.environ.get("XDS_SEED", "1"))
SUBMISSIONS = 12
QUERIES_EACH = 4
BY_NAME = {query.name: query for query in STORED_QUERIES}
RELATION_TYPES = [t for t in AssociationType if t is not AssociationType.HAS_MEMBER]

Identity = tuple[str, ...]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentRegistry]:
    folder: Path = tmp_path_factory.mktemp("model")
    store = open_store(f"sqlite:///{folder / 'xds.sqlite'}", documents=folder / "documents")
    yield DocumentRegistry(store)
    store.close()


class Asking:
    """Asks both sides the same question and compares."""

    def __init__(self, registry: DocumentRegistry, model: NaiveRegistry, universe: Universe) -> None:
        self.registry, self.model, self.u = registry, model, universe
        self.r: Random = universe.random
        # (type, source, target) of associations the registry made itself have ids of its own choice
        self.made: dict[str, Identity] = {}

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

    def find_documents(self) -> None:
        patient, statuses = self.u.patient(), self.statuses()
        parameters: list[tuple[str, object]] = [
            ("$XDSDocumentEntryPatientId", patient),
            ("$XDSDocumentEntryStatus", [_status(s) for s in statuses]),
        ]
        filters: dict[str, object] = {}
        if self.r.random() < 0.4:
            code = self.r.choice(CLASSES)
            filters["class_code"] = {_code(code)}
            parameters.append(("$XDSDocumentEntryClassCode", [_code(code)]))
        if self.r.random() < 0.5:
            groups = [self.r.sample(EVENTS, self.r.randint(1, 2)) for _ in range(self.r.randint(1, 2))]
            filters["event_codes"] = [{_code(c) for c in group} for group in groups]
            parameters += [("$XDSDocumentEntryEventCodeList", [_code(c) for c in group]) for group in groups]
        if self.r.random() < 0.3:
            groups = [self.r.sample(CONFIDENTIALITY, 1) for _ in range(self.r.randint(1, 2))]
            filters["confidentiality"] = [{_code(c) for c in group} for group in groups]
            parameters += [("$XDSDocumentEntryConfidentialityCode", [_code(c) for c in group]) for group in groups]
        if self.r.random() < 0.5:
            start, end = sorted(f"20{self.r.randint(10, 15)}{self.r.randint(1, 12):02}" for _ in range(2))
            filters["created"] = (dtm_number(start), dtm_number(end))
            parameters += [
                ("$XDSDocumentEntryCreationTimeFrom", int(start)),
                ("$XDSDocumentEntryCreationTimeTo", int(end)),
            ]
        expected = self.model.find_documents(patient, statuses, **filters)  # type: ignore[arg-type]  # by name
        self.compare("FindDocuments", expected, *parameters)

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
        wanted = [_status(s) for s in statuses]
        self.compare(
            "GetAll",
            self.model.get_all(patient, statuses),
            ("$patientId", patient),
            ("$XDSDocumentEntryStatus", wanted),
            ("$XDSSubmissionSetStatus", wanted),
            ("$XDSFolderStatus", wanted),
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
            wanted = set(CONFIDENTIALITY)
            if self.r.random() < 0.5:
                wanted = {self.r.choice(CONFIDENTIALITY)}
                parameters.append(("$XDSDocumentEntryConfidentialityCode", [_code(c) for c in wanted]))
            codes = {_code(c) for c in wanted}
            expected = self.model.contents(
                package, lambda t, codes=codes: bool(t.codes(Scheme.CONFIDENTIALITY_CODE) & codes)
            )
            self.compare(name, expected, *parameters)

    def folders_for_document(self) -> None:
        for entry in self.some(DE)[:1]:
            expected = self.model.folders_for(entry.id)
            self.compare("GetFoldersForDocument", expected, ("$XDSDocumentEntryEntryUUID", entry.id))

    def related_documents(self) -> None:
        for entry in self.some(DE)[:1]:
            types = [str(t) for t in self.r.sample(RELATION_TYPES, 3)]
            expected = self.model.related(entry.id, types)
            self.compare(
                "GetRelatedDocuments",
                expected,
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
        return f"'{value}'"
    assert isinstance(value, list)
    return "(" + ",".join(f"'{v}'" for v in value) + ")"


def submit(registry: DocumentRegistry, request: Submission) -> set[str]:
    try:
        registry.register(request)
    except RequestRejected as error:
        return {str(e.code) for e in error.errors}
    return set()


def folder_times(asking: Asking) -> dict[str, int]:
    folders = [t.id for t in asking.model.of(FD)]
    stored = asking.registry.store.read(lambda reader: reader.by_uuid(folders))
    assert len(stored) == len(folders)
    return {o.entry_uuid: o.last_update_time or 0 for o in stored}


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
def test_the_registry_answers_as_the_naive_model_does(registry: DocumentRegistry, seed: int) -> None:
    universe = Universe(seed)
    model = NaiveRegistry(set(universe.known))
    for patient in universe.known:
        registry.store.transaction(_Announce(patient))
    asking = Asking(registry, model, universe)
    for _ in range(SUBMISSIONS):
        request = submission(universe)
        before, updates = folder_times(asking), {t.id: t.updates for t in model.of(FD)}
        expected = model.refusals(request)
        answered = submit(registry, _copy(request))
        assert bool(answered) == bool(expected), (answered, expected)
        assert answered <= expected, (answered, expected)
        if not expected:
            model.apply(request)
        after = folder_times(asking)
        for folder in model.of(FD):
            moved = folder.updates > updates.get(folder.id, 0)
            assert (after[folder.id] > before.get(folder.id, 0)) == moved, "lastUpdateTime"
        for _ in range(QUERIES_EACH):
            asking.anything()


class _Announce:
    """Work for the store: make one patient known."""

    def __init__(self, patient: str) -> None:
        self.patient = patient

    def __call__(self, transaction: object) -> bool:
        return bool(transaction.announce(self.patient))  # type: ignore[attr-defined]  # ports.Transaction


def _copy(request: Submission) -> Submission:
    """The registry may change what it is given; the model keeps the original."""
    import copy

    return copy.deepcopy(request)
