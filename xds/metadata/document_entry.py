"""DocumentEntry: one document and what is known about it (ITI TF-3, 4.2.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from xds.datatypes.hl7 import CX, XCN, CXi
from xds.datatypes.ids import new_oid, new_uuid
from xds.datatypes.time import DTM
from xds.metadata.common import (
    NO_EXTRA,
    Author,
    Code,
    Extra,
    SourcePatientInfo,
    Text,
    convert,
    extra_slots,
    members,
    moment,
    one,
    several,
    text_from,
)
from xds.metadata.mapping import Reader, Writer
from xds.metadata.registry_object import Classification, ExternalIdentifier, RegistryObject
from xds.vocab.ebrim import DocumentEntryType, IdScheme, Node, ObjectKind, Scheme, SlotName, Status

_CODES = {
    "class_code": Scheme.CLASS_CODE.value,
    "format_code": Scheme.FORMAT_CODE.value,
    "healthcare_facility_type_code": Scheme.HEALTHCARE_FACILITY_TYPE_CODE.value,
    "practice_setting_code": Scheme.PRACTICE_SETTING_CODE.value,
    "type_code": Scheme.TYPE_CODE.value,
}
_CODE_LISTS = {
    "confidentiality_code": Scheme.CONFIDENTIALITY_CODE.value,
    "event_code_list": Scheme.EVENT_CODE.value,
}
_TIMES = {
    "creation_time": SlotName.CREATION_TIME.value,
    "service_start_time": SlotName.SERVICE_START_TIME.value,
    "service_stop_time": SlotName.SERVICE_STOP_TIME.value,
}
_TEXTS = {
    "hash": SlotName.HASH.value,
    "language_code": SlotName.LANGUAGE_CODE.value,
    "repository_unique_id": SlotName.REPOSITORY_UNIQUE_ID.value,
    "document_availability": SlotName.DOCUMENT_AVAILABILITY.value,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """A document, Stable or On-Demand. Attributes are the Framework's, in snake case.

    Which of them are required depends on who sends to whom; ``metadata.rules.check`` tells, by profile. ``entry_uuid``
    and ``unique_id`` are made when they are not given. ``hash``, ``size`` and ``repository_unique_id`` are the
    repository's to fill in, ``availability_status``, ``logical_id`` and ``version`` the registry's. Times are in UTC.
    Wire forms are taken as ``str``: ``patient_id="P1^^^&1.2.3&ISO"``, ``creation_time="20260904"``.
    """

    patient_id: CX | None = None
    unique_id: str = field(default_factory=new_oid)
    entry_uuid: str = field(default_factory=new_uuid)
    object_type: str = DocumentEntryType.STABLE.value
    mime_type: str = "application/octet-stream"
    author: tuple[Author, ...] = ()
    class_code: Code | None = None
    type_code: Code | None = None
    format_code: Code | None = None
    confidentiality_code: tuple[Code, ...] = ()
    event_code_list: tuple[Code, ...] = ()
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    creation_time: DTM | None = None
    service_start_time: DTM | None = None
    service_stop_time: DTM | None = None
    language_code: str | None = None
    legal_authenticator: XCN | None = None
    reference_id_list: tuple[CXi, ...] = ()
    source_patient_id: CX | None = None
    source_patient_info: SourcePatientInfo | None = None
    title: Text | None = None
    comments: Text | None = None
    uri: str | None = None
    hash: str | None = None  # SHA-1, 40 hexadecimal digits
    size: int | None = None  # bytes
    repository_unique_id: str | None = None
    document_availability: str | None = None
    home_community_id: str | None = None
    limited_metadata: bool = False
    availability_status: Status | str | None = None
    logical_id: str | None = None
    version: str | None = None
    # what the Framework does not define
    extra: Extra = field(default_factory=dict, hash=False)
    extra_classifications: tuple[Classification, ...] = field(default=(), hash=False)
    extra_identifiers: tuple[ExternalIdentifier, ...] = field(default=(), hash=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            patient_id: CX | str | None = None,
            unique_id: str = ...,
            entry_uuid: str = ...,
            object_type: str = ...,
            mime_type: str = ...,
            author: Author | Iterable[Author] = (),
            class_code: Code | None = None,
            type_code: Code | None = None,
            format_code: Code | None = None,
            confidentiality_code: Code | Iterable[Code] = (),
            event_code_list: Code | Iterable[Code] = (),
            healthcare_facility_type_code: Code | None = None,
            practice_setting_code: Code | None = None,
            creation_time: DTM | date | str | None = None,
            service_start_time: DTM | date | str | None = None,
            service_stop_time: DTM | date | str | None = None,
            language_code: str | None = None,
            legal_authenticator: XCN | str | None = None,
            reference_id_list: CXi | str | Iterable[CXi | str] = (),
            source_patient_id: CX | str | None = None,
            source_patient_info: SourcePatientInfo | None = None,
            title: Text | None = None,
            comments: Text | None = None,
            uri: str | None = None,
            hash: str | None = None,
            size: int | None = None,
            repository_unique_id: str | None = None,
            document_availability: str | None = None,
            home_community_id: str | None = None,
            limited_metadata: bool = False,
            availability_status: Status | str | None = None,
            logical_id: str | None = None,
            version: str | None = None,
            extra: Mapping[str, str | Iterable[str]] = NO_EXTRA,
            extra_classifications: tuple[Classification, ...] = (),
            extra_identifiers: tuple[ExternalIdentifier, ...] = (),
        ) -> None: ...

    _converters: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "patient_id": one(CX),
        "author": members(Author),
        "confidentiality_code": members(Code),
        "event_code_list": members(Code),
        "creation_time": moment,
        "service_start_time": moment,
        "service_stop_time": moment,
        "legal_authenticator": one(XCN),
        "reference_id_list": several(CXi),
        "source_patient_id": one(CX),
        "extra": extra_slots,
    }

    def __post_init__(self) -> None:
        convert(self, self._converters)

    @property
    def on_demand(self) -> bool:
        """Whether the document is made when it is asked for (ITI TF-3, 4.1.1)."""
        return self.object_type == DocumentEntryType.ON_DEMAND

    def to_object(self) -> RegistryObject:
        """As a rim:ExtrinsicObject, in the order of ITI TF-3, table 4.2.3.2-1."""
        w = Writer(ObjectKind.DOCUMENT_ENTRY, "ExtrinsicObject", self.entry_uuid)
        w.obj.object_type, w.obj.mime_type = self.object_type, self.mime_type
        w.common(
            status=self.availability_status,
            home=self.home_community_id,
            lid=self.logical_id,
            version=self.version,
            name=self.title,
            description=self.comments,
        )
        for attribute, slot in (*_TIMES.items(), *_TEXTS.items()):
            w.slot(slot, getattr(self, attribute))
        w.slot(SlotName.SIZE.value, self.size)
        w.slot(SlotName.LEGAL_AUTHENTICATOR.value, self.legal_authenticator)
        w.slot(SlotName.REFERENCE_ID_LIST.value, *self.reference_id_list)
        w.slot(SlotName.SOURCE_PATIENT_ID.value, self.source_patient_id)
        if self.source_patient_info is not None:
            w.slot(SlotName.SOURCE_PATIENT_INFO.value, *self.source_patient_info.values())
        w.slot(SlotName.URI.value, self.uri)
        w.authors(Scheme.DOCUMENT_ENTRY_AUTHOR.value, self.author)
        for attribute, scheme in _CODES.items():
            w.code(scheme, getattr(self, attribute))
        for attribute, scheme in _CODE_LISTS.items():
            w.code(scheme, *getattr(self, attribute))
        if self.limited_metadata:
            w.mark(Node.LIMITED_DOCUMENT_ENTRY.value)
        w.identifier(IdScheme.DOCUMENT_ENTRY_PATIENT_ID, self.patient_id)
        w.identifier(IdScheme.DOCUMENT_ENTRY_UNIQUE_ID, self.unique_id or None)
        w.rest(self.extra, self.extra_classifications, self.extra_identifiers)
        return w.obj

    @classmethod
    def from_object(cls, obj: RegistryObject) -> DocumentEntry:
        """From a rim:ExtrinsicObject without findings. Raises MalformedMessage for a value that cannot be read."""
        r = Reader(obj, ObjectKind.DOCUMENT_ENTRY)
        found: dict[str, Any] = {attribute: r.slot(slot, DTM.parse) for attribute, slot in _TIMES.items()}
        found.update((attribute, r.slot(slot, str)) for attribute, slot in _TEXTS.items())
        found.update((attribute, r.code(scheme)) for attribute, scheme in _CODES.items())
        found.update((attribute, r.codes(scheme)) for attribute, scheme in _CODE_LISTS.items())
        info = r.slots(SlotName.SOURCE_PATIENT_INFO)
        patient_id = r.identifier(IdScheme.DOCUMENT_ENTRY_PATIENT_ID)
        return cls(
            **found,
            patient_id=patient_id,
            unique_id=r.identifier(IdScheme.DOCUMENT_ENTRY_UNIQUE_ID) or "",
            entry_uuid=obj.id,
            object_type=obj.object_type or DocumentEntryType.STABLE.value,
            mime_type=obj.mime_type or "application/octet-stream",
            author=r.authors(Scheme.DOCUMENT_ENTRY_AUTHOR),
            legal_authenticator=r.slot(SlotName.LEGAL_AUTHENTICATOR, XCN.parse),
            reference_id_list=r.slots(SlotName.REFERENCE_ID_LIST),
            source_patient_id=r.slot(SlotName.SOURCE_PATIENT_ID, CX.parse),
            source_patient_info=SourcePatientInfo.parse(info) if info else None,
            title=text_from(obj.name),
            comments=text_from(obj.description),
            uri=r.slot(SlotName.URI, str),
            size=r.slot(SlotName.SIZE, int),
            home_community_id=obj.home,
            limited_metadata=r.marked(Node.LIMITED_DOCUMENT_ENTRY),
            availability_status=r.status,
            logical_id=obj.lid,
            version=obj.version,
            extra=r.extra(),
            extra_classifications=r.extra_classifications(),
            extra_identifiers=r.extra_identifiers(),
        )
