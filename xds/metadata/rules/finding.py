"""A rule about a submission, and what was found to break it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from xds.errors import RegistryError
from xds.metadata.registry_object import RegistryObject
from xds.vocab.ebrim import ObjectKind
from xds.vocab.errors import ErrorCode

KIND_NAMES: Final = {
    ObjectKind.DOCUMENT_ENTRY: "DocumentEntry",
    ObjectKind.SUBMISSION_SET: "SubmissionSet",
    ObjectKind.FOLDER: "Folder",
    ObjectKind.ASSOCIATION: "Association",
    ObjectKind.UNKNOWN: "Object",
}
_MAX_SHOWN: Final = 200
#: after so many a report says no more: a hostile message must not become an answer many times its size
MAX_FINDINGS: Final = 1000


class Profile(Enum):
    """Who receives the submission, and by which column of ITI TF-3, tables 4.3.1-1 to -3, it is judged."""

    XDS = "ITI-42"
    """Document Registry: with what the repository added."""
    PROVIDE = "ITI-41"
    """Document Repository or Document Recipient: without."""
    LIMITED = "limited metadata"
    """Document Recipient that takes limited metadata (XDR): most attributes may be missing."""
    ON_DEMAND = "ITI-61"
    """Document Registry: On-Demand DocumentEntries, which have no time, hash and size of their own."""
    UPDATE = "ITI-57"
    """Document Registry: new versions of registered objects; what each operation needs is the actor's business."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: what must hold, of which attribute, by which section, and the code for the opposite.

    A ``tolerated`` rule is one that real senders break and nobody is hurt by: it is noted, never refused.
    """

    name: str
    kind: ObjectKind | None  # None: the submission as a whole
    attribute: str
    section: str
    text: str  # what is wrong when it does not hold, without any value
    code: ErrorCode = ErrorCode.REGISTRY_METADATA_ERROR
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold. ``value`` and ``detail`` may be patient data; ``str`` and ``repr`` leave them out."""

    rule: Rule
    kind: ObjectKind | None = None  # of the object at fault; None when it is the submission as a whole
    object_id: str = ""
    value: str = field(default="", repr=False)
    location: str = ""
    detail: str = field(default="", repr=False)  # what is wrong, when it is more precise than the rule's text

    @property
    def code(self) -> ErrorCode:
        return self.rule.code

    @property
    def attribute(self) -> str:
        return self.rule.attribute

    @property
    def section(self) -> str:
        return self.rule.section

    @property
    def message(self) -> str:
        """What is wrong, in words for the sender; contains the value."""
        what = self.detail or self.rule.text
        shown = self.value if len(self.value) <= _MAX_SHOWN else self.value[:_MAX_SHOWN] + "…"
        return f"{self.rule.attribute} '{shown}' {what}" if shown else f"{self.rule.attribute} {what}"

    def to_error(self, code: ErrorCode | None = None) -> RegistryError:
        """The RegistryError for the sender: codeContext names object, attribute and value (ITI TF-3, 4.2.4.1)."""
        kind = "Submission" if self.kind is None else KIND_NAMES[self.kind]
        name = f"{kind} {self.object_id}" if self.object_id else kind
        return RegistryError(code or self.rule.code, f"{name}: {self.message} ({self.rule.section})", self.location)

    def __str__(self) -> str:
        return f"{self.rule.code}: {self.rule.name}"


class Report:
    """Collects the findings about one submission: refusals, and notes when the caller wants them; not too many."""

    __slots__ = ("findings", "notes")

    def __init__(self, notes: list[Finding] | None = None) -> None:
        self.findings: list[Finding] = []
        self.notes = notes

    def add(self, rule: Rule, obj: RegistryObject | None = None, value: str = "", detail: str = "") -> None:
        found = self.notes if rule.tolerated else self.findings
        if found is not None and len(found) < MAX_FINDINGS:
            found.append(_finding(rule, obj, value, detail))


def _finding(rule: Rule, obj: RegistryObject | None, value: str, detail: str) -> Finding:
    if obj is None:
        return Finding(rule, rule.kind, value=value, detail=detail)
    location = obj.location or f"{obj.element} {obj.id}".strip()
    return Finding(rule, obj.kind, obj.id, value, location, detail)


def shown(values: Sequence[str]) -> str:
    """Several values in one, for a finding."""
    return ", ".join(values)
