"""Association: how two registry objects stand to each other (ITI TF-3, 4.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from xds.datatypes.ids import new_uuid
from xds.metadata.common import NO_EXTRA, Code, Extra, Text, convert, extra_slots, text_from
from xds.metadata.mapping import Reader, Writer
from xds.metadata.registry_object import Classification, ExternalIdentifier, RegistryObject
from xds.vocab.ebrim import STATUS_BY_URN, AssociationType, ObjectKind, Scheme, SlotName, Status

ORIGINAL: Final = "Original"
REFERENCE: Final = "Reference"

_YES_NO: Final = {"yes": True, "no": False}


def _status(urn: str) -> Status | str:
    return STATUS_BY_URN.get(urn, urn)


def _propagation(text: str) -> bool:
    if text not in _YES_NO:
        raise ValueError("AssociationPropagation is yes or no")
    return _YES_NO[text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """From ``source_object`` to ``target_object``: entryUUIDs, or symbolic ids within one submission.

    ``submission_set_status`` is Original or Reference and stands on SubmissionSet to DocumentEntry only. The functions
    of ``metadata.submission`` make the usual ones.
    """

    association_type: str
    source_object: str
    target_object: str
    entry_uuid: str = field(default_factory=new_uuid)
    submission_set_status: str | None = None
    documentation: Code | None = None
    # metadata update (ITI-57)
    previous_version: str | None = None
    association_propagation: bool | None = None
    original_status: Status | str | None = None
    new_status: Status | str | None = None
    title: Text | None = None
    comments: Text | None = None
    home_community_id: str | None = None
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
            association_type: str,
            source_object: str,
            target_object: str,
            entry_uuid: str = ...,
            submission_set_status: str | None = None,
            documentation: Code | None = None,
            previous_version: str | None = None,
            association_propagation: bool | None = None,
            original_status: Status | str | None = None,
            new_status: Status | str | None = None,
            title: Text | None = None,
            comments: Text | None = None,
            home_community_id: str | None = None,
            availability_status: Status | str | None = None,
            logical_id: str | None = None,
            version: str | None = None,
            extra: Mapping[str, str | Iterable[str]] = NO_EXTRA,
            extra_classifications: tuple[Classification, ...] = (),
            extra_identifiers: tuple[ExternalIdentifier, ...] = (),
        ) -> None: ...

    _converters: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"extra": extra_slots}

    def __post_init__(self) -> None:
        convert(self, self._converters)

    @property
    def is_member(self) -> bool:
        """Whether it is a HasMember."""
        return self.association_type == AssociationType.HAS_MEMBER

    def to_object(self) -> RegistryObject:
        """As a rim:Association."""
        w = Writer(ObjectKind.ASSOCIATION, "Association", self.entry_uuid)
        w.obj.association_type = str(self.association_type)
        w.obj.source, w.obj.target = self.source_object, self.target_object
        w.common(
            status=self.availability_status,
            home=self.home_community_id,
            lid=self.logical_id,
            version=self.version,
            name=self.title,
            description=self.comments,
        )
        w.slot(SlotName.SUBMISSION_SET_STATUS.value, self.submission_set_status)
        w.slot(SlotName.PREVIOUS_VERSION.value, self.previous_version)
        if self.association_propagation is not None:
            w.slot(SlotName.ASSOCIATION_PROPAGATION.value, "yes" if self.association_propagation else "no")
        for slot, status in (
            (SlotName.ORIGINAL_STATUS.value, self.original_status),
            (SlotName.NEW_STATUS.value, self.new_status),
        ):
            w.slot(slot, status.urn if isinstance(status, Status) else status)
        w.code(Scheme.ASSOCIATION_DOCUMENTATION.value, self.documentation)
        w.rest(self.extra, self.extra_classifications, self.extra_identifiers)
        return w.obj

    @classmethod
    def from_object(cls, obj: RegistryObject) -> Association:
        """From a rim:Association without findings. Raises MalformedMessage for a value that cannot be read."""
        r = Reader(obj, ObjectKind.ASSOCIATION)
        return cls(
            association_type=obj.association_type or "",
            source_object=obj.source or "",
            target_object=obj.target or "",
            entry_uuid=obj.id,
            submission_set_status=r.slot(SlotName.SUBMISSION_SET_STATUS, str),
            documentation=r.code(Scheme.ASSOCIATION_DOCUMENTATION),
            previous_version=r.slot(SlotName.PREVIOUS_VERSION, str),
            association_propagation=r.slot(SlotName.ASSOCIATION_PROPAGATION, _propagation),
            original_status=r.slot(SlotName.ORIGINAL_STATUS, _status),
            new_status=r.slot(SlotName.NEW_STATUS, _status),
            title=text_from(obj.name),
            comments=text_from(obj.description),
            home_community_id=obj.home,
            availability_status=r.status,
            logical_id=obj.lid,
            version=obj.version,
            extra=r.extra(),
            extra_classifications=r.extra_classifications(),
            extra_identifiers=r.extra_identifiers(),
        )
