"""Folder: documents of one patient that belong together (ITI TF-3, 4.2.3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from xds.datatypes.hl7 import CX
from xds.datatypes.ids import new_oid, new_uuid
from xds.datatypes.time import DTM
from xds.metadata.common import NO_EXTRA, Code, Extra, Text, convert, extra_slots, members, moment, one, text_from
from xds.metadata.mapping import Reader, Writer
from xds.metadata.registry_object import Classification, ExternalIdentifier, RegistryObject
from xds.vocab.ebrim import IdScheme, Node, ObjectKind, Scheme, SlotName, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A Folder. What is in it is said by Associations: ``metadata.submission.in_folder``.

    ``last_update_time`` is the registry's. See DocumentEntry for what is common to the metadata objects.
    """

    patient_id: CX | None = None
    title: Text | None = None
    code_list: tuple[Code, ...] = ()
    unique_id: str = field(default_factory=new_oid)
    entry_uuid: str = field(default_factory=new_uuid)
    comments: Text | None = None
    last_update_time: DTM | None = None
    home_community_id: str | None = None
    limited_metadata: bool = False
    availability_status: Status | str | None = None
    logical_id: str | None = None
    version: str | None = None
    extra: Extra = field(default_factory=dict, hash=False)
    extra_classifications: tuple[Classification, ...] = field(default=(), hash=False)
    extra_identifiers: tuple[ExternalIdentifier, ...] = field(default=(), hash=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            patient_id: CX | str | None = None,
            title: Text | None = None,
            code_list: Code | Iterable[Code] = (),
            unique_id: str = ...,
            entry_uuid: str = ...,
            comments: Text | None = None,
            last_update_time: DTM | date | str | None = None,
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
        "code_list": members(Code),
        "last_update_time": moment,
        "extra": extra_slots,
    }

    def __post_init__(self) -> None:
        convert(self, self._converters)

    def to_object(self) -> RegistryObject:
        """As a rim:RegistryPackage with its marker in it."""
        w = Writer(ObjectKind.FOLDER, "RegistryPackage", self.entry_uuid)
        w.common(
            status=self.availability_status,
            home=self.home_community_id,
            lid=self.logical_id,
            version=self.version,
            name=self.title,
            description=self.comments,
        )
        w.slot(SlotName.LAST_UPDATE_TIME.value, self.last_update_time)
        w.code(Scheme.FOLDER_CODE.value, *self.code_list)
        w.mark(Node.FOLDER.value)
        if self.limited_metadata:
            w.mark(Node.LIMITED_FOLDER.value)
        w.identifier(IdScheme.FOLDER_PATIENT_ID, self.patient_id)
        w.identifier(IdScheme.FOLDER_UNIQUE_ID, self.unique_id or None)
        w.rest(self.extra, self.extra_classifications, self.extra_identifiers)
        return w.obj

    @classmethod
    def from_object(cls, obj: RegistryObject) -> Folder:
        """From a rim:RegistryPackage without findings. Raises MalformedMessage for a value that cannot be read."""
        r = Reader(obj, ObjectKind.FOLDER)
        r.marked(Node.FOLDER)
        return cls(
            patient_id=r.identifier(IdScheme.FOLDER_PATIENT_ID),
            title=text_from(obj.name),
            code_list=r.codes(Scheme.FOLDER_CODE),
            unique_id=r.identifier(IdScheme.FOLDER_UNIQUE_ID) or "",
            entry_uuid=obj.id,
            comments=text_from(obj.description),
            last_update_time=r.slot(SlotName.LAST_UPDATE_TIME, DTM.parse),
            home_community_id=obj.home,
            limited_metadata=r.marked(Node.LIMITED_FOLDER),
            availability_status=r.status,
            logical_id=obj.lid,
            version=obj.version,
            extra=r.extra(),
            extra_classifications=r.extra_classifications(),
            extra_identifiers=r.extra_identifiers(),
        )
