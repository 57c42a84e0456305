"""Random sequences of submissions and queries over a small, crowded universe; the same seed gives the same sequence.

Few patients, few uniqueIds and few codes, so that collisions, replacements of the replaced, and folders shared by
everything happen all the time. Submissions are well-formed in themselves: what is wrong with them can only be seen
by looking at what is registered.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from random import Random

from xds.metadata.registry_object import (
    Classification,
    ExternalIdentifier,
    LocalizedString,
    RegistryObject,
    Submission,
)
from xds.vocab.ebrim import (
    ID_NAMES,
    PATIENT_ID_SCHEME,
    UNIQUE_ID_SCHEME,
    AssociationType,
    DocumentEntryType,
    IdScheme,
    Node,
    ObjectKind,
    Scheme,
    SlotName,
)

A = AssociationType
CODING_SCHEME = "1.2.3.4.5"
CLASSES = ("class-a", "class-b")
EVENTS = ("event-a", "event-b", "event-c")
CONFIDENTIALITY = ("N", "R")
FORMATS = ("format-a", "format-b")
AUTHORS = ("^Smith^Anna", "^Smyth^Anna", "^smith^Anna", "^O'Neill^Otto", "7^Smith_^Anna%^^^^^^&1.2.3.4.8&ISO")
AUTHOR_PATTERNS = (
    "%",
    "%Smith%",
    "^Sm_th^Anna",
    "^Smith",
    "^Smith^Anna",
    "%O'N%o",
    "_%Smith__Anna%",
    "%_^^^^^%ISO",
    "",
)
REFERENCES = tuple(
    f"ref{n}^^^&1.2.3.4.6&ISO^urn:ihe:iti:xds:2013:{kind}" for n, kind in enumerate(("order", "accession"))
)
REFERENCE_PATTERNS = (*REFERENCES, "ref_^^^%", "%order", "ref1", "%")
AUTHORITY = "1.3.6.1.4.1.21367.13.20.1000"


class Universe:
    """Identifiers of one sequence; no other sequence uses them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.prefix = f"1.2.826.{seed + 1}"
        self.known = [f"M{seed}A^^^&{AUTHORITY}&ISO", f"M{seed}B^^^&{AUTHORITY}&ISO"]
        self.unknown = f"M{seed}Z^^^&{AUTHORITY}&ISO"
        self.unique_ids = [f"{self.prefix}.{n}" for n in range(1, 40)]
        self.submissions = 0
        self.entries: list[str] = []
        self.folders: list[str] = []
        self.on_demand: list[str] = []
        self.all_ids: list[str] = []

    def new_uuid(self) -> str:
        made = f"urn:uuid:{uuid.UUID(int=self.random.getrandbits(128), version=4)}"
        self.all_ids.append(made)
        return made

    def unique_on_demand(self) -> str:
        """A uniqueId of its own: an On-Demand entry shares none."""
        return f"{self.prefix}.3000.{len(self.on_demand) + 1}"

    def patient(self) -> str:
        return self.random.choices([*self.known, self.unknown], (12, 3, 1))[0]

    def answered(self, request: Submission, *, accepted: bool) -> None:
        """Later submissions refer to what was registered, and now and then to what was refused."""
        if accepted or self.random.random() < 0.1:
            self.entries += [o.id for o in request.document_entries]
            self.folders += [o.id for o in request.folders]


def _code(scheme: str, code: str, parent: str, n: int) -> Classification:
    return Classification(
        scheme=scheme,
        code=code,
        slots={SlotName.CODING_SCHEME: [CODING_SCHEME]},
        name=(LocalizedString(code),),
        id=f"cl-{parent}-{n}",
        classified_object=parent,
    )


def _identifiers(kind: ObjectKind, parent: str, patient: str, unique_id: str) -> list[ExternalIdentifier]:
    rows = [(PATIENT_ID_SCHEME[kind], patient), (UNIQUE_ID_SCHEME[kind], unique_id)]
    if kind is ObjectKind.SUBMISSION_SET:
        rows.append((IdScheme.SUBMISSION_SET_SOURCE_ID, "1.2.3.4"))
    return [
        ExternalIdentifier(
            scheme=scheme,
            value=value,
            name=(LocalizedString(ID_NAMES[scheme]),),
            id=f"ei-{parent}-{n}",
            registry_object=parent,
        )
        for n, (scheme, value) in enumerate(rows)
    ]


def _author(person: str, parent: str, n: int) -> Classification:
    return Classification(
        scheme=Scheme.DOCUMENT_ENTRY_AUTHOR,
        code="",
        slots={SlotName.AUTHOR_PERSON: [person]},
        id=f"au-{parent}-{n}",
        classified_object=parent,
    )


def random_time(r: Random) -> str:
    """A time near the start of a year, of any precision: what is padded wrongly falls on the other side of a bound."""
    month, day, hour = r.choice(("01", "01", "02", "12")), r.choice(("01", "01", "15")), r.choice(("00", "23"))
    return (f"{r.randint(2010, 2014)}" + month + day + hour + "5959")[: r.choice((4, 6, 8, 10, 12, 14))]


def document_entry(u: Universe, patient: str, *, on_demand: bool = False) -> RegistryObject:
    r, me = u.random, u.new_uuid()
    # a uniqueId decides hash and size most of the time: then it is the same document again
    unique_id = u.unique_on_demand() if on_demand else r.choice(u.unique_ids)
    variant = r.choices((0, 1, 2), (12, 1, 1))[0]
    codes = [
        (Scheme.CLASS_CODE, [r.choice(CLASSES)]),
        (Scheme.TYPE_CODE, ["type"]),
        (Scheme.FORMAT_CODE, [r.choice(FORMATS)]),
        (Scheme.HEALTHCARE_FACILITY_TYPE_CODE, ["facility"]),
        (Scheme.PRACTICE_SETTING_CODE, ["practice"]),
        (Scheme.CONFIDENTIALITY_CODE, r.sample(CONFIDENTIALITY, r.randint(1, 2))),
        (Scheme.EVENT_CODE, r.sample(EVENTS, r.randint(0, 3))),
    ]
    pairs = [(scheme, code) for scheme, values in codes for code in values]
    slots: dict[str, list[str]] = {
        SlotName.LANGUAGE_CODE: ["en"],
        SlotName.REPOSITORY_UNIQUE_ID: ["1.2.3.4.9"],
        SlotName.SOURCE_PATIENT_ID: ["local^^^&1.2.3.4.7&ISO"],
    }
    if not on_demand:
        number = u.unique_ids.index(unique_id)
        slots[SlotName.CREATION_TIME] = [random_time(r)]
        slots[SlotName.HASH] = [f"{number * 10 + (variant == 1):040x}"]
        slots[SlotName.SIZE] = [str(100 + (variant == 2))]
    if r.random() < 0.6:
        slots[SlotName.SERVICE_START_TIME] = [random_time(r)]
    if references := r.sample(REFERENCES, r.randint(0, 2)):
        slots[SlotName.REFERENCE_ID_LIST] = references
    authors = r.sample(AUTHORS, r.choice((0, 1, 1, 2)))
    return RegistryObject(
        ObjectKind.DOCUMENT_ENTRY,
        id=me,
        element="ExtrinsicObject",
        object_type=DocumentEntryType.ON_DEMAND if on_demand else DocumentEntryType.STABLE,
        mime_type="text/plain",
        slots=slots,
        classifications=[
            *(_code(scheme, code, me, n) for n, (scheme, code) in enumerate(pairs)),
            *(_author(person, me, n) for n, person in enumerate(authors)),
        ],
        external_identifiers=_identifiers(ObjectKind.DOCUMENT_ENTRY, me, patient, unique_id),
    )


def package(u: Universe, kind: ObjectKind, patient: str, unique_id: str) -> RegistryObject:
    me = u.new_uuid()
    is_set = kind is ObjectKind.SUBMISSION_SET
    scheme = Scheme.CONTENT_TYPE_CODE if is_set else Scheme.FOLDER_CODE
    node = Node.SUBMISSION_SET if is_set else Node.FOLDER
    return RegistryObject(
        kind,
        id=me,
        element="RegistryPackage",
        name=(LocalizedString("a package"),),
        slots={SlotName.SUBMISSION_TIME: ["20200101120000"]} if is_set else {},
        classifications=[
            _code(scheme, "content", me, 0),
            Classification(node=node, id=f"cl-{me}-1", classified_object=me),
        ],
        external_identifiers=_identifiers(kind, me, patient, unique_id),
    )


def association(u: Universe, kind: str, source: str, target: str, status: str | None = None) -> RegistryObject:
    return RegistryObject(
        ObjectKind.ASSOCIATION,
        id=u.new_uuid(),
        element="Association",
        association_type=kind,
        source=source,
        target=target,
        slots={SlotName.SUBMISSION_SET_STATUS: [status]} if status else {},
    )


def submission(u: Universe) -> Submission:
    """One submission: new entries, folders, references, relationships, in any mixture that has at least one member."""
    r = u.random
    patient = u.patient()
    u.submissions += 1
    set_id = r.choice(u.unique_ids) if r.random() < 0.05 else f"{u.prefix}.1000.{u.submissions}"
    submission_set = package(u, ObjectKind.SUBMISSION_SET, patient, set_id)
    entries = [document_entry(u, patient if r.random() < 0.97 else u.patient()) for _ in range(r.choice((0, 1, 1, 2)))]
    folder_ids = (f"{u.prefix}.2000.{u.submissions}", f"{u.prefix}.2000.{r.randint(1, 30)}")
    folders = [package(u, ObjectKind.FOLDER, patient, r.choice(folder_ids)) for _ in range(r.choice((0, 0, 0, 1)))]
    links = [association(u, A.HAS_MEMBER, submission_set.id, e.id, "Original") for e in entries]
    links += [association(u, A.HAS_MEMBER, submission_set.id, f.id) for f in folders]
    links += _memberships(u, submission_set.id, [e.id for e in entries], [f.id for f in folders])
    links += _relationships(u, [e.id for e in entries])
    if u.entries and (r.random() < 0.1 or not (entries or folders or links)):
        links.append(association(u, A.HAS_MEMBER, submission_set.id, r.choice(u.entries), "Reference"))
    objects = [submission_set, *entries, *folders, *links]
    if len(objects) == 1:
        folder = package(u, ObjectKind.FOLDER, patient, folder_ids[0])
        objects += [folder, association(u, A.HAS_MEMBER, submission_set.id, folder.id)]
    r.shuffle(objects)
    return Submission(objects)


def _memberships(u: Universe, submission_set: str, entries: list[str], folders: list[str]) -> Iterator[RegistryObject]:
    """FD-DE HasMember, each with its SS-HM, old and new mixed."""
    r, done = u.random, set()
    for _ in range(r.choice((0, 0, 1, 2))):
        folder = r.choice([*folders, *folders, *u.folders]) if folders or u.folders else None
        registered = u.entries + u.on_demand
        entry = r.choice([*entries, *entries, *registered]) if entries or registered else None
        if folder is None or entry is None or (folder, entry) in done:
            continue
        done.add((folder, entry))
        member = association(u, A.HAS_MEMBER, folder, entry)
        yield member
        yield association(u, A.HAS_MEMBER, submission_set, member.id)


def _relationships(u: Universe, entries: list[str]) -> Iterator[RegistryObject]:
    r, replaced = u.random, set()
    for source in entries:
        if not u.entries or r.random() < 0.4:
            continue
        target = r.choice(u.entries) if r.random() < 0.95 else u.new_uuid()
        kind = r.choice((A.RPLC, A.RPLC, A.APND, A.XFRM, A.XFRM_RPLC, A.SIGNS))
        if target in replaced:  # what one submission may do to one target twice is not a question for this model
            continue
        replaced.add(target)
        yield association(u, kind, source, target)
