"""What the typed metadata objects share: texts, codes, authors, demographics (ITI TF-3, 4.2.3.1).

Wherever a value of an HL7 type or a time is expected, its wire form as ``str`` is taken as well, and where several
values are, a single one: ``Author(institutions="First People's Hospital")``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, TypeVar

from xds.datatypes.hl7 import CX, XAD, XCN, XON, XPN, XTN, CodedString
from xds.datatypes.time import DTM
from xds.metadata.registry_object import Classification, InternationalString, LocalizedString, text_of
from xds.vocab.ebrim import SlotName

#: A title or comment: plain, with language and charset, or in several languages
Text = str | LocalizedString | InternationalString
Extra = Mapping[str, tuple[str, ...]]

NO_EXTRA: Final[Extra] = {}


# --------------------------------------------------------------------------- what a constructor takes


class _Parsed(Protocol):
    @classmethod
    def parse(cls, text: str) -> Self: ...


P = TypeVar("P", bound=_Parsed)


def one(kind: type[P]) -> Callable[[Any], P | None]:
    """Takes a value of this kind, its wire form, or None."""

    def convert(value: P | str | None) -> P | None:
        return kind.parse(value) if isinstance(value, str) else value

    return convert


def several(kind: type[P]) -> Callable[[Any], tuple[P, ...]]:
    """Takes values of this kind or their wire forms; one alone, any iterable, or None for nothing."""

    def convert(value: P | str | Iterable[P | str] | None) -> tuple[P, ...]:
        if value is None:
            return ()
        if isinstance(value, (str, kind)):
            value = (value,)
        return tuple(kind.parse(v) if isinstance(v, str) else v for v in value)  # type: ignore[union-attr]

    return convert


def moment(value: DTM | date | str | None) -> DTM | None:
    """Takes a DTM, its wire form, a date, or an aware datetime."""
    if isinstance(value, date):
        return DTM.of(value)
    return DTM.parse(value) if isinstance(value, str) else value


def members(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes one value of this kind, or an iterable of them."""
    return lambda value: (value,) if isinstance(value, kind) else tuple(value)


def extra_slots(value: Mapping[str, str | Iterable[str]]) -> Extra:
    """Takes ``{name: value}`` and ``{name: values}``."""
    return {name: (found,) if isinstance(found, str) else tuple(found) for name, found in value.items()}


def convert(value: object, converters: Mapping[str, Callable[[Any], Any]]) -> None:
    """Apply converters to the fields of a frozen dataclass; for its ``__post_init__``."""
    for name, converter in converters.items():
        object.__setattr__(value, name, converter(getattr(value, name)))


# --------------------------------------------------------------------------- texts


def strings_of(value: Text | None) -> InternationalString:
    """rim:Name or rim:Description from a text."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (LocalizedString(value),)
    return (value,) if isinstance(value, LocalizedString) else tuple(value)


def text_from(strings: InternationalString) -> Text | None:
    """The text of rim:Name or rim:Description: str when nothing but the text was said. Empty counts as absent."""
    if text_of(strings) is None:
        return None
    if len(strings) > 1:
        return strings
    return strings[0].value if strings[0] == LocalizedString(strings[0].value) else strings[0]


def plain(value: Text | None) -> str | None:
    """A text without its language: the first that is not empty."""
    return value if isinstance(value, str) else text_of(strings_of(value))


# --------------------------------------------------------------------------- codes and authors


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a coding scheme (ITI TF-3, 4.2.3.1.2).

    Equal to another when code and scheme are equal; ``name``, the display name, is required by the Framework and never
    compared. ``extra`` are Slots that the Framework does not define.
    """

    code: str
    scheme: str
    name: Text | None = field(default=None, compare=False)
    extra: Extra = field(default_factory=dict, compare=False, repr=False)

    def to_classification(self, scheme: str, owner: str) -> Classification:
        """The Classification of ``owner`` by this @classificationScheme."""
        slots = {SlotName.CODING_SCHEME.value: [self.scheme]}
        slots.update((name, list(found)) for name, found in self.extra.items())
        return Classification(scheme, None, self.code, slots, strings_of(self.name), classified_object=owner)

    @classmethod
    def from_classification(cls, classification: Classification) -> Code:
        extra = {n: tuple(v) for n, v in classification.slots.items() if n != SlotName.CODING_SCHEME}
        name = text_from(classification.name)
        return cls(classification.code or "", classification.coding_scheme or "", name, extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who or what made a document or submission (ITI TF-3, 4.2.3.2.1). One of person, institution, contact is needed.

    The sub-attributes belong to this author: what another author's institutions are is said in the other Author.
    """

    person: XCN | None = None
    institutions: tuple[XON, ...] = ()
    roles: tuple[CodedString, ...] = ()
    specialties: tuple[CodedString, ...] = ()
    telecommunications: tuple[XTN, ...] = ()
    extra: Extra = field(default_factory=dict, hash=False, repr=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            person: XCN | str | None = None,
            institutions: XON | str | Iterable[XON | str] = (),
            roles: CodedString | str | Iterable[CodedString | str] = (),
            specialties: CodedString | str | Iterable[CodedString | str] = (),
            telecommunications: XTN | str | Iterable[XTN | str] = (),
            extra: Mapping[str, str | Iterable[str]] = NO_EXTRA,
        ) -> None: ...

    _converters: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "person": one(XCN),
        "institutions": several(XON),
        "roles": several(CodedString),
        "specialties": several(CodedString),
        "telecommunications": several(XTN),
        "extra": extra_slots,
    }

    def __post_init__(self) -> None:
        convert(self, self._converters)

    def to_classification(self, scheme: str, owner: str) -> Classification:
        """The Classification of ``owner`` by this @classificationScheme; one per author, with an empty code."""
        slots: dict[str, list[str]] = {}
        if self.person is not None:
            slots[SlotName.AUTHOR_PERSON.value] = [str(self.person)]
        for name, attribute in _AUTHOR_SLOTS.items():
            found: Sequence[object] = getattr(self, attribute)
            if found:
                slots[name] = [str(value) for value in found]
        for name, values in self.extra.items():
            slots.setdefault(name, []).extend(values)
        return Classification(scheme, None, "", slots, classified_object=owner)

    @classmethod
    def from_classification(cls, classification: Classification) -> Author:
        slots = {name: [v for v in values if v] for name, values in classification.slots.items()}
        persons = slots.pop(SlotName.AUTHOR_PERSON, [])
        if persons[1:]:  # a second person is wrong, and kept
            slots[SlotName.AUTHOR_PERSON.value] = persons[1:]
        found: dict[str, Any] = {attribute: slots.pop(name, ()) for name, attribute in _AUTHOR_SLOTS.items()}
        return cls(
            person=persons[0] if persons else None,
            **found,
            extra={name: tuple(values) for name, values in slots.items()},
        )


_AUTHOR_SLOTS: Final = {
    SlotName.AUTHOR_INSTITUTION.value: "institutions",
    SlotName.AUTHOR_ROLE.value: "roles",
    SlotName.AUTHOR_SPECIALTY.value: "specialties",
    SlotName.AUTHOR_TELECOMMUNICATION.value: "telecommunications",
}


# --------------------------------------------------------------------------- demographics


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePatientInfo:
    """The patient as the source system knew them when it sent the document (ITI TF-3, 4.2.3.2.26).

    On the wire a list of ``PID-n|value``; fields without an attribute of their own are kept in ``other``, as they
    came. It is a snapshot: a merge does not change it.
    """

    patient_ids: tuple[CX, ...] = ()  # PID-3
    names: tuple[XPN, ...] = ()  # PID-5
    birth_date: str | None = None  # PID-7, as the source wrote it
    sex: str | None = None  # PID-8
    addresses: tuple[XAD, ...] = ()  # PID-11
    other: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            patient_ids: CX | str | Iterable[CX | str] = (),
            names: XPN | str | Iterable[XPN | str] = (),
            birth_date: str | None = None,
            sex: str | None = None,
            addresses: XAD | str | Iterable[XAD | str] = (),
            other: Iterable[str] = (),
        ) -> None: ...

    _converters: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "patient_ids": several(CX),
        "names": several(XPN),
        "addresses": several(XAD),
        "other": tuple,
    }

    def __post_init__(self) -> None:
        convert(self, self._converters)

    def values(self) -> list[str]:
        """The values of the Slot, one repetition each, so that none gets longer than it must be."""
        found = [f"PID-3|{value}" for value in self.patient_ids]
        found += [f"PID-5|{name}" for name in self.names]
        found += [f"PID-7|{self.birth_date}"] if self.birth_date else []
        found += [f"PID-8|{self.sex}"] if self.sex else []
        found += [f"PID-11|{address}" for address in self.addresses]
        return [*found, *self.other]

    @classmethod
    def parse(cls, values: Iterable[str]) -> SourcePatientInfo:
        """Reads the values of the Slot. Nothing is refused: what is not understood is kept in ``other``."""
        lists: dict[str, list[str]] = {"PID-3": [], "PID-5": [], "PID-11": []}
        single: dict[str, str] = {}
        other = []
        for value in values:
            name, bar, content = value.partition("|")
            if bar and content and name in lists:
                lists[name] += [part for part in content.split("~") if part]
            elif bar and content and name in ("PID-7", "PID-8") and name not in single:
                single[name] = content
            else:
                other.append(value)
        return cls(
            patient_ids=lists["PID-3"],
            names=lists["PID-5"],
            birth_date=single.get("PID-7"),
            sex=single.get("PID-8"),
            addresses=lists["PID-11"],
            other=other,
        )
