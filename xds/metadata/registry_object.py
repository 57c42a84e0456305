"""A registry object as it stands in a message: complete, neutral, not yet believed.

``ebxml.rim`` decodes into these, ``metadata.rules`` reports findings over them, the stores keep them, and the typed
values (:class:`~xds.metadata.document_entry.DocumentEntry` and friends) are built from clean ones. What the Framework
does not know (extra Slots, other Classifications) stays in place and is given back unharmed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from xds.vocab.ebrim import PATIENT_ID_SCHEME, UNIQUE_ID_SCHEME, ObjectKind


@dataclass(frozen=True, slots=True)
class LocalizedString:
    """One rim:LocalizedString. ``lang`` and ``charset`` are None where the message left them out."""

    value: str
    lang: str | None = None
    charset: str | None = None

    def __str__(self) -> str:
        return self.value


# rim:Name and rim:Description: usually one string, the schema allows one per language
InternationalString = tuple[LocalizedString, ...]


@dataclass(slots=True)
class Classification:
    """rim:Classification: a code or an author (``scheme``), or a marker (``node``). ITI TF-3, 4.2.3.1.2."""

    scheme: str | None = None
    node: str | None = None
    code: str | None = None  # @nodeRepresentation; None when the attribute is absent
    slots: dict[str, list[str]] = field(default_factory=dict)
    name: InternationalString = ()
    description: InternationalString = ()
    id: str = ""
    classified_object: str | None = None
    repeated_slots: list[str] = field(default_factory=list)  # names that stood more than once: a finding

    @property
    def coding_scheme(self) -> str | None:
        values = self.slots.get("codingScheme")
        return values[0] if values else None


@dataclass(slots=True)
class ExternalIdentifier:
    """rim:ExternalIdentifier: patientId, uniqueId, sourceId."""

    scheme: str
    value: str
    name: InternationalString = ()
    id: str = ""
    registry_object: str | None = None
    slots: dict[str, list[str]] = field(default_factory=dict)
    description: InternationalString = ()


@dataclass(slots=True)
class RegistryObject:
    """An ExtrinsicObject, RegistryPackage or Association with everything that stood in it."""

    kind: ObjectKind
    id: str = ""
    element: str = ""  # local name of the element: ExtrinsicObject, RegistryPackage, Association
    location: str = ""  # where it stood, for findings: "ExtrinsicObject[1] Document01"
    object_type: str | None = None
    status: str | None = None
    home: str | None = None
    lid: str | None = None
    version: str | None = None  # VersionInfo/@versionName
    mime_type: str | None = None
    slots: dict[str, list[str]] = field(default_factory=dict)
    name: InternationalString = ()
    description: InternationalString = ()
    classifications: list[Classification] = field(default_factory=list)
    external_identifiers: list[ExternalIdentifier] = field(default_factory=list)
    repeated_slots: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # elements and foreign attributes that were left out, by name
    # Association only
    association_type: str | None = None
    source: str | None = None
    target: str | None = None

    def slot(self, name: str) -> str | None:
        """First value of a Slot; None when the Slot is absent or empty."""
        values = self.slots.get(name)
        return values[0] if values else None

    def external_identifier(self, scheme: str) -> str | None:
        """Value of the first ExternalIdentifier with this scheme."""
        for identifier in self.external_identifiers:
            if identifier.scheme == scheme:
                return identifier.value
        return None

    def classified_by(self, scheme: str) -> list[Classification]:
        """Classifications with this scheme, in document order."""
        return [c for c in self.classifications if c.scheme == scheme]

    @property
    def unique_id(self) -> str | None:
        scheme = UNIQUE_ID_SCHEME.get(self.kind)
        return None if scheme is None else self.external_identifier(scheme)

    @property
    def patient_id(self) -> str | None:
        """The patientId in its wire form, ``id^^^&OID&ISO``; Associations have none."""
        scheme = PATIENT_ID_SCHEME.get(self.kind)
        return None if scheme is None else self.external_identifier(scheme)


@dataclass(slots=True)
class Submission:
    """The registry objects of one SubmitObjectsRequest, in message order (ITI TF-3, 4.2.1.4)."""

    objects: list[RegistryObject]

    def of_kind(self, kind: ObjectKind) -> list[RegistryObject]:
        return [o for o in self.objects if o.kind is kind]

    @property
    def document_entries(self) -> list[RegistryObject]:
        return self.of_kind(ObjectKind.DOCUMENT_ENTRY)

    @property
    def submission_sets(self) -> list[RegistryObject]:
        return self.of_kind(ObjectKind.SUBMISSION_SET)

    @property
    def folders(self) -> list[RegistryObject]:
        return self.of_kind(ObjectKind.FOLDER)

    @property
    def associations(self) -> list[RegistryObject]:
        return self.of_kind(ObjectKind.ASSOCIATION)


def text_of(strings: Iterable[LocalizedString]) -> str | None:
    """The first non-empty string: an empty rim:Name counts as absent."""
    for string in strings:
        if string.value:
            return string.value
    return None
