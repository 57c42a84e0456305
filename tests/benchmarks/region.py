"""An invented region, the same for the same seed: hospitals, residents, and the submissions about them, as a stream.

    region = Region(districts=10)
    for district in region.districts:
        for feed in district.announcements(): ...
        for submission in district.submissions(): ...

Districts join one after the other, as they do when a platform is rolled out. Each has 100,000 DocumentEntries of 10,000
residents: most have a handful, a few have thousands (a Pareto tail), and one resident of the first district has 10,000.
Submissions of a district come in no order of patients, as in life. A tenth replaces or files what came before. Memory
is that of one district's plan (a few MB) however many there are. Nobody in it exists.

Only the entryUUIDs of Associations are new each time. The others are random (version 4), which is what most systems
send and the worst for an index.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tests.benchmarks.region_words import (
    CONFIDENTIALITY,
    DEPARTMENTS,
    EVENTS,
    FACILITIES,
    FOLDERS,
    GIVEN,
    KINDS,
    NAMES_ABROAD,
    ROLES,
    STREETS,
    SURNAMES,
    TOWNS,
)
from xds.datatypes.hl7 import CX, HD, XCN
from xds.metadata.association import Association
from xds.metadata.common import Author, Code, SourcePatientInfo
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.registry_object import Submission
from xds.metadata.submission import build_submission, in_folder, replaces
from xds.metadata.submission_set import SubmissionSet
from xds.patients.feed import IdentityFeed
from xds.registry import DEFAULT_ASSIGNING_AUTHORITY
from xds.vocab.hl7 import FeedEvent

ROOT: Final = "1.3.6.1.4.1.21367.2026.100"  # the hospitals hang below it
ENTRIES: Final = 100_000
RESIDENTS: Final = 10_000
HEAVIEST: Final = 10_000  # documents of the first resident of the region
HOSPITALS: Final = 8
_TAIL, _LEAST = 1.3, 2  # of the Pareto distribution of documents over residents, up to 1 % of a district's
_HEAVY = 3  # residents of a district with 1 to 4 % of its documents each
_SIZES: Final = (1, 1, 1, 1, 1, 1, 2, 2, 3, 6)  # documents of one submission
_PLAIN, _REPLACES, _FILES = range(3)
_LIKELY: Final = (92, 5, 3)


@dataclass(frozen=True, slots=True)
class Hospital:
    """An organisation that submits."""

    oid: str
    name: str
    facility: Code
    doctors: tuple[XCN, ...]
    authors: tuple[Author, ...]


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody who does not exist: the identifier in the affinity domain, and what a source knows of them."""

    id: CX
    local_id: CX
    names: tuple[str, ...]
    birth_date: str
    sex: str
    address: str

    @property
    def known(self) -> SourcePatientInfo:
        return SourcePatientInfo(
            patient_ids=self.local_id,
            names=self.names,
            birth_date=self.birth_date,
            sex=self.sex,
            addresses=self.address,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A submission before it is written out: whose, how many documents, and what it does to the one before."""

    number: int
    resident: int
    size: int
    previous: int  # the resident's submission before this one in the district; -1 when there is none
    action: int


@dataclass(frozen=True, slots=True)
class Region:
    """``districts`` of ``entries`` DocumentEntries each; smaller ones keep the proportions."""

    seed: int = 1
    size: int = 10
    entries: int = ENTRIES
    residents: int = RESIDENTS
    heaviest: int = HEAVIEST
    authority: str = DEFAULT_ASSIGNING_AUTHORITY
    repository: str = "1.3.6.1.4.1.21367.2026.1.1"

    @property
    def districts(self) -> Iterator[District]:
        for number in range(self.size):
            yield District(self, number)


@dataclass(frozen=True, slots=True)
class District:
    """A part of the region that joined at once: its hospitals, residents and submissions."""

    region: Region
    number: int
    _cache: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    # ----------------------------------------------------------------- who there is

    @property
    def hospitals(self) -> tuple[Hospital, ...]:
        first = self.number * HOSPITALS
        return tuple(_hospital(self.region.seed, n) for n in range(first, first + HOSPITALS))

    def resident(self, index: int) -> Resident:
        r = self._random(1, index)
        number = self.number * self.region.residents + index + 1
        hospital = r.randrange(HOSPITALS)
        return Resident(
            CX(f"{number:08d}", HD.oid(self.region.authority)),
            CX(f"{r.randrange(10**5, 10**7)}", HD.oid(self.hospitals[hospital].oid)),
            _names(r),
            f"{r.randrange(1930, 2026)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}",
            r.choice("FM"),
            f"{r.choice(STREETS)}{r.randrange(1, 400)}号^^{r.choice(TOWNS)}^^{r.randrange(100_000, 860_000)}^CN",
        )

    def patients(self) -> Iterator[str]:
        """The identifiers of the residents in the affinity domain, in wire form."""
        for index in range(self.region.residents):
            number = self.number * self.region.residents + index + 1
            yield f"{number:08d}^^^&{self.region.authority}&ISO"

    def announcements(self) -> Iterator[IdentityFeed]:
        """Patient identity feed: every resident is registered (ADT^A04)."""
        authority = HD.oid(self.region.authority)
        for index in range(self.region.residents):
            number = self.number * self.region.residents + index + 1
            yield IdentityFeed(event=FeedEvent.REGISTER, identifiers=(CX(f"{number:08d}", authority),))

    # ----------------------------------------------------------------- how much of whom

    def documents(self) -> list[int]:
        """How many DocumentEntries each resident has."""
        region, r = self.region, self._random(2)
        counts = [
            min(region.entries // 100, int(_LEAST * (1 - r.random()) ** (-1 / _TAIL))) for _ in range(region.residents)
        ]
        counts[0] = region.heaviest if self.number == 0 else 0
        counts[1 : 1 + _HEAVY] = [int(region.entries * r.uniform(0.01, 0.04)) for _ in range(_HEAVY)]
        surplus = sum(counts) - region.entries
        while surplus:  # what is too much is taken from whoever comes next, what is missing is given to them
            index = r.randrange(1 + _HEAVY, region.residents)
            change = min(surplus, max(0, counts[index] - 1), 8) if surplus > 0 else -1
            counts[index] -= change
            surplus -= change
        return counts

    def plan(self) -> Iterator[Planned]:
        """Every submission of the district in the order of their arrival."""
        r = self._random(3)
        parts: list[tuple[int, int]] = []
        for resident, left in enumerate(self.documents()):
            while left > 0:
                size = min(left, r.choice(_SIZES))
                parts.append((resident, size))
                left -= size
        r.shuffle(parts)
        last: dict[int, int] = {}
        for number, (resident, size) in enumerate(parts):
            previous = last.get(resident, -1)
            last[resident] = number
            action = r.choices((_PLAIN, _REPLACES, _FILES), _LIKELY)[0]
            yield Planned(number, resident, size, previous, action if previous >= 0 or action == _FILES else _PLAIN)

    # ----------------------------------------------------------------- what they say

    def submissions(self) -> Iterator[Submission]:
        """The submissions as a repository would register them (ITI-42), with hash, size and repositoryUniqueId."""
        for planned in self.plan():
            yield self.submission(planned)

    def submission(self, planned: Planned) -> Submission:
        n = planned.number
        r = self._random(4, n)
        resident, hospital = self.resident(planned.resident), r.choice(self.hospitals)
        author, time = r.choice(hospital.authors), _time(r)
        entries = [self._entry(r, n, k, resident, hospital, author, time) for k in range(planned.size)]
        folders: list[Folder] = []
        relations: list[Association] = []
        if planned.action == _REPLACES:
            relations = [replaces(entries[0], self._uuid(planned.previous, 0))]
        elif planned.action == _FILES:
            folders = [
                Folder(
                    patient_id=resident.id,
                    title=r.choice(FOLDERS).name,
                    code_list=r.choice(FOLDERS),
                    unique_id=f"{hospital.oid}.3.{self.number + 1}.{n + 1}",
                    entry_uuid=self._uuid(n, -2),
                )
            ]
            relations = [in_folder(folders[0], entry) for entry in entries]
        submission_set = SubmissionSet(
            patient_id=resident.id,
            source_id=hospital.oid,
            content_type_code=KINDS[0].type_code,
            unique_id=f"{hospital.oid}.2.{self.number + 1}.{n + 1}",
            entry_uuid=self._uuid(n, -1),
            submission_time=time,
            author=author,
        )
        return build_submission(submission_set, entries, folders, relations)

    def _entry(
        self, r: random.Random, n: int, k: int, resident: Resident, hospital: Hospital, author: Author, time: str
    ) -> DocumentEntry:
        kind = r.choice(KINDS)
        reference = f"{r.randrange(10**8, 10**9)}^^^&{hospital.oid}&ISO^urn:ihe:iti:xds:2013:accession"
        return DocumentEntry(
            patient_id=resident.id,
            unique_id=f"{hospital.oid}.1.{self.number + 1}.{n + 1}.{k + 1}",
            entry_uuid=self._uuid(n, k),
            mime_type=kind.mime_type,
            author=author,
            class_code=kind.class_code,
            type_code=kind.type_code,
            format_code=kind.format_code,
            confidentiality_code=CONFIDENTIALITY[r.random() < 0.03],
            event_code_list=(r.choice(EVENTS),) if r.random() < 0.4 else (),
            healthcare_facility_type_code=hospital.facility,
            practice_setting_code=r.choice(DEPARTMENTS),
            creation_time=time,
            service_start_time=time[:8],
            service_stop_time=time[:8],
            language_code="zh-CN",
            legal_authenticator=r.choice(hospital.doctors) if r.random() < 0.5 else None,
            reference_id_list=reference if r.random() < 0.3 else (),
            source_patient_id=resident.local_id,
            source_patient_info=resident.known,
            title=kind.title,
            hash=f"{r.getrandbits(160):040x}",
            size=r.randrange(800, 400_000),
            repository_unique_id=self.region.repository,
        )

    def _uuid(self, submission: int, position: int) -> str:
        value = self._random(5, submission * 64 + position + 2).getrandbits(128)
        value = value & ~(0xF000 << 64) & ~(3 << 62) | 0x4000 << 64 | 2 << 62
        h = f"{value:032x}"
        return f"urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def _random(self, purpose: int, number: int = 0) -> random.Random:
        return random.Random(((self.region.seed * 1009 + self.number) * 16 + purpose) << 32 | number)


@cache
def _hospital(seed: int, number: int) -> Hospital:
    r = random.Random(seed * 1009 + number)
    oid = f"{ROOT}.{number + 1}"
    facility = FACILITIES[number % len(FACILITIES)]
    name = f"{TOWNS[number % len(TOWNS)]}第{number // len(TOWNS) + 1}{facility.name}"
    doctors = tuple(
        XCN.parse(f"{r.randrange(1000, 100_000)}^{r.choice(SURNAMES)}^{r.choice(GIVEN)}^^^^^^&{oid}&ISO")
        for _ in range(40)
    )
    authors = tuple(
        Author(
            person=doctor,
            institutions=f"{name}^^^^^&{oid}&ISO^^^^{oid}",
            roles=r.choice(ROLES),
            specialties=str(r.choice(DEPARTMENTS).name),
        )
        for doctor in doctors
    )
    return Hospital(oid, name, facility, doctors, authors)


def _names(r: random.Random) -> tuple[str, ...]:
    if r.random() < 0.08:
        return (r.choice(NAMES_ABROAD),)
    return (f"{r.choice(SURNAMES)}^{r.choice(GIVEN)}{r.choice(('', r.choice(GIVEN)))}",)


def _time(r: random.Random) -> str:
    return (
        f"{r.randrange(2016, 2026)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}"
        f"{r.randrange(7, 20):02d}{r.randrange(60):02d}{r.randrange(60):02d}"
    )
