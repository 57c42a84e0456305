"""Random submissions and link changes against a naive model: documents with a patient and a local identifier each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.xds.registry.build import AUTHORITY, association, entry, folder, member, submission
from tests.xds.registry.moving import FD, HAS_MEMBER, World
from xds.datatypes.hl7 import CX
from xds.metadata.registry_object import RegistryObject
from xds.ports import Reader, StoredObject
from xds.registry import DocumentRegistry
from xds.stores import open_store
from xds.vocab.ebrim import AssociationType, SlotName, Status

A = AssociationType
LOCALS = tuple(f"L{n}^^^&1.2.3&ISO" for n in range(2))
_numbers = count(1)


@dataclass(eq=False)
class Document:
    lid: str
    patient: str
    local: str
    version: int = 1
    approved: bool = True


@dataclass(eq=False)
class Folder:
    lid: str
    patient: str
    version: int = 1
    members: set[Document] = field(default_factory=set)

    @property
    def content(self) -> set[Document]:
        return {document for document in self.members if document.approved}


@dataclass
class Model:
    """What the documents of a few patients should be."""

    world: World
    patients: tuple[str, ...]
    documents: list[Document] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    relations: set[tuple[str, Document, Document]] = field(default_factory=set)

    # ----------------------------------------------------------------- what happens

    def submit(self, patient: int, local: int, kind: str | None, at: int, into: int | None) -> None:
        """A document, related to another one where that is possible, and in a new or an earlier folder."""
        who = self.patients[patient]
        made = entry("Document01", patient=who, slots={SlotName.SOURCE_PATIENT_ID: [LOCALS[local]]})
        objects: list[RegistryObject] = [made]
        target = self.documents[at % len(self.documents)] if self.documents and kind else None
        if target is not None and (not target.approved or target.patient != who):
            target = None
        # an addendum is not made to a transformation: there are none here
        if target is not None and kind is not None:
            objects.append(association(kind, made.id, self.now(target.lid).entry_uuid))
        holder: Folder | None = None
        if into is not None:
            usable = [f for f in self.folders if f.patient == who]
            if into and usable:
                holder = usable[into % len(usable)]
                objects.append(member(self.now(holder.lid).entry_uuid, made.id))
            else:
                objects += (folder(patient=who), member("Folder01", made.id))
        self.world.registry.register(submission(*objects))
        document = Document(made.id, who, LOCALS[local])
        self.documents.append(document)
        if into is not None and holder is None:
            holder = Folder(next(o.id for o in objects if o.kind is FD), who)
            self.folders.append(holder)
        if holder is not None:
            holder.members.add(document)
        if target is not None and kind is not None:
            self.relations.add((kind, document, target))
            if kind == A.RPLC:
                self._replace(target, document)

    def _replace(self, target: Document, document: Document) -> None:
        for holder in self.folders:
            if target in holder.members:
                holder.members.add(document)
        waiting = [target]
        while waiting:
            ended = waiting.pop()
            ended.approved = False
            waiting += [s for k, s, t in self.relations if k == A.APND and t is ended and s.approved]

    def change(self, new: int, previous: int, local: int, subsumed: int | None) -> None:
        there, here, kept = self.patients[new], self.patients[previous], LOCALS[local]
        ended = None if subsumed is None or subsumed == local else LOCALS[subsumed]
        moved = [
            d
            for d in self.documents
            if d.approved and d.patient == here and ((d.local == kept and there != here) or d.local == ended)
        ]
        given = {"subsumed": LOCALS[subsumed]} if subsumed is not None else {}
        applied = self.world.change(new=there, local=kept, previous=here, **given)
        assert applied.moved == len(moved)
        for holder in self.folders:
            leaving = holder.content & set(moved)
            if not leaving or there == here:
                continue
            if leaving == holder.content:
                holder.patient, holder.version, holder.members = there, holder.version + 1, leaving
            else:
                holder.members -= leaving
        for document in moved:
            document.patient, document.local, document.version = there, kept, document.version + 1
        if there != here:
            self.relations = {r for r in self.relations if (r[1] in moved) == (r[2] in moved)}

    # ----------------------------------------------------------------- what is found

    def now(self, lid: str) -> StoredObject:
        return self.world.now(lid)

    def check(self) -> None:
        current = {o.lid: self.now(o.lid) for o in (*self.documents, *self.folders)}
        lids = {o.entry_uuid: lid for lid, o in current.items()}
        for document in self.documents:
            found = current[document.lid]
            assert (found.version, found.patient_id) == (document.version, document.patient)
            assert found.status is (Status.APPROVED if document.approved else Status.DEPRECATED)
            values = self.world.decoded(found.entry_uuid).slots[SlotName.SOURCE_PATIENT_ID]
            assert values == [document.local]
            versions = self.world.refs("GetDocuments", XDSDocumentEntryLogicalID=[document.lid], MetadataLevel=2)
            assert [o.version for o in versions] == list(range(1, document.version + 1))
            assert all(o.status is Status.DEPRECATED for o in versions[:-1])
            assert len({o.unique_id for o in versions}) == 1
        links = self.world.registry.store.read(lambda reader: self._links(reader, lids))
        relations = {(a.association_type, lids[a.source], lids[a.target]) for a in links}
        assert relations == {(kind, source.lid, target.lid) for kind, source, target in self.relations}
        assert len(relations) == len(links)
        for holder in self.folders:
            found = current[holder.lid]
            assert (found.version, found.patient_id) == (holder.version, holder.patient)
            assert found.status is Status.APPROVED
            inside = self.world.content(found.entry_uuid)
            assert inside <= lids.keys()  # last versions only
            approved = {d.lid for d in self.documents if d.approved}
            assert {lids[uuid] for uuid in inside if lids.get(uuid) in approved} == {d.lid for d in holder.content}
        for patient in self.patients:
            self._check_patient(patient)

    def _check_patient(self, patient: str) -> None:
        """Find has what the model has, and what it finds is one patient's."""
        found = {o.lid for o in self.world.entries(patient)}
        assert found == {d.lid for d in self.documents if d.approved and d.patient == patient}
        folders = {o.lid for o in self.world.folders(patient)}
        assert folders == {f.lid for f in self.folders if f.patient == patient}

    def _links(self, reader: Reader, lids: dict[str, str]) -> list[StoredObject]:
        """Approved relationships between last versions; none joins an Approved document with an older version."""
        found = reader.associations(sources=lids, targets=lids) if lids else []
        found = [a for a in found if a.association_type != HAS_MEMBER and a.status is Status.APPROVED]
        older = [end for a in found if not {a.source, a.target} <= lids.keys() for end in (a.source, a.target)]
        approved = {d.lid for d in self.documents if d.approved}
        assert not approved & {lids.get(end) for end in older}
        return [a for a in found if {a.source, a.target} <= lids.keys()]


_few = st.integers(0, 1)  # few, so that much meets
_steps = st.one_of(
    st.tuples(
        st.just("submit"),
        _few,
        _few,
        st.sampled_from([None, A.APND.value, A.SIGNS.value, A.RPLC.value]),
        st.integers(0, 20),
        st.sampled_from([None, 0, 1, 1, 2]),
    ),
    st.tuples(st.just("change"), _few, _few, _few, st.one_of(st.none(), _few)),
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentRegistry]:
    place = tmp_path_factory.mktemp("sequences")
    with open_store(place / "xds.sqlite", documents=place / "documents", sweep=False) as store:
        yield DocumentRegistry(store)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(_steps, min_size=8, max_size=20))
def test_after_any_sequence_everything_is_where_it_should_be(
    registry: DocumentRegistry, steps: list[tuple[object, ...]]
) -> None:
    world = World(registry)
    patients = tuple(str(CX.of(f"S{next(_numbers)}", AUTHORITY)) for _ in range(2))
    for patient in patients:
        world.announce(patient)
    model = Model(world, patients)
    for name, *arguments in steps:
        getattr(model, str(name))(*arguments)
    model.check()
