"""SubmissionSet: one act of submitting (ITI TF-3, 4.2.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Final

from xds.datatypes.hl7 import CX, XCN, XON, XTN
from xds.datatypes.ids import new_oid, new_uuid
from xds.datatypes.time import DTM, utc_now
from xds.metadata.common import (
    NO_EXTRA,
    Author,
    Code,
    Extra,
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
from xds.vocab.ebrim import IdScheme, Node, ObjectKind, Scheme, SlotName, Status


@dataclass(frozen=True, slots=True)
class IntendedRecipient:
    """For whom a submission is: an organization, a person, a telecommunication address, or several of these.

    On the wire they are joined by a vertical bar (ITI TF-3, 4.2.3.3.7).
    """

    organization: XON | None = None
    person: XCN | None = None
    telecommunication: XTN | None = None

    @classmethod
    def parse(cls, text: str) -> IntendedRecipient:
        """Reads ``XON|XCN|XTN``. What stands after a third bar belongs to the telecommunication address."""
        organization, person, telecommunication = (*text.split("|", 2), "", "")[:3]
        return cls(
            XON.parse(organization) if organization else None,
            XCN.parse(person) if person else None,
            XTN.parse(telecommunication) if telecommunication else None,
        )

    def __str__(self) -> str:
        parts = (self.organization, self.person, self.telecommunication)
        return "|".join("" if part is None else str(part) for part in parts).rstrip("|")


def _now() -> DTM:
    return DTM.of(utc_now())


_RECIPIENTS: Final = several(IntendedRecipient)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet:
    """Who submitted what, when, from where. ``source_id`` is the OID of the submitting system.

    ``entry_uuid``, ``unique_id`` and ``submission_time`` (now) are made when they are not given. See DocumentEntry for
    what else is common to the metadata objects.
    """

    patient_id: CX | None = None
    source_id: str = ""
    content_type_code: Code | None = None
    unique_id: str = field(default_factory=new_oid)
    entry_uuid: str = field(default_factory=new_uuid)
    submission_time: DTM | None = field(default_factory=_now)
    author: tuple[Author, ...] = ()
    intended_recipient: tuple[IntendedRecipient, ...] = ()
    title: Text | None = None
    comments: Text | None = None
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
            source_id: str = "",
            content_type_code: Code | None = None,
            unique_id: str = ...,
            entry_uuid: str = ...,
            submission_time: DTM | date | str | None = ...,
            author: Author | Iterable[Author] = (),
            intended_recipient: IntendedRecipient | str | Iterable[IntendedRecipient | str] = (),
            title: Text | None = None,
            comments: Text | None = None,
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
        "submission_time": moment,
        "author": members(Author),
        "intended_recipient": _RECIPIENTS,
        "extra": extra_slots,
    }

    def __post_init__(self) -> None:
        convert(self, self._converters)

    def to_object(self) -> RegistryObject:
        """As a rim:RegistryPackage with its marker in it."""
        w = Writer(ObjectKind.SUBMISSION_SET, "RegistryPackage", self.entry_uuid)
        w.common(
            status=self.availability_status,
            home=self.home_community_id,
            lid=self.logical_id,
            version=self.version,
            name=self.title,
            description=self.comments,
        )
        w.slot(SlotName.SUBMISSION_TIME.value, self.submission_time)
        w.slot(SlotName.INTENDED_RECIPIENT.value, *self.intended_recipient)
        w.authors(Scheme.SUBMISSION_SET_AUTHOR.value, self.author)
        w.code(Scheme.CONTENT_TYPE_CODE.value, self.content_type_code)
        w.mark(Node.SUBMISSION_SET.value)
        if self.limited_metadata:
            w.mark(Node.LIMITED_SUBMISSION_SET.value)
        w.identifier(IdScheme.SUBMISSION_SET_PATIENT_ID, self.patient_id)
        w.identifier(IdScheme.SUBMISSION_SET_SOURCE_ID, self.source_id or None)
        w.identifier(IdScheme.SUBMISSION_SET_UNIQUE_ID, self.unique_id or None)
        w.rest(self.extra, self.extra_classifications, self.extra_identifiers)
        return w.obj

    @classmethod
    def from_object(cls, obj: RegistryObject) -> SubmissionSet:
        """From a rim:RegistryPackage without findings. Raises MalformedMessage for a value that cannot be read."""
        r = Reader(obj, ObjectKind.SUBMISSION_SET)
        r.marked(Node.SUBMISSION_SET)
        return cls(
            patient_id=r.identifier(IdScheme.SUBMISSION_SET_PATIENT_ID),
            source_id=r.identifier(IdScheme.SUBMISSION_SET_SOURCE_ID) or "",
            content_type_code=r.code(Scheme.CONTENT_TYPE_CODE),
            unique_id=r.identifier(IdScheme.SUBMISSION_SET_UNIQUE_ID) or "",
            entry_uuid=obj.id,
            submission_time=r.slot(SlotName.SUBMISSION_TIME, DTM.parse),
            author=r.authors(Scheme.SUBMISSION_SET_AUTHOR),
            intended_recipient=r.slots(SlotName.INTENDED_RECIPIENT),
            title=text_from(obj.name),
            comments=text_from(obj.description),
            home_community_id=obj.home,
            limited_metadata=r.marked(Node.LIMITED_SUBMISSION_SET),
            availability_status=r.status,
            logical_id=obj.lid,
            version=obj.version,
            extra=r.extra(),
            extra_classifications=r.extra_classifications(),
            extra_identifiers=r.extra_identifiers(),
        )
