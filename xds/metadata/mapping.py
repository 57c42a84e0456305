"""Between typed metadata objects and RegistryObject: each reads itself with a Reader, writes itself with a Writer.

A Reader gives out what it is asked for once and keeps the rest, so that what nobody asked for is known at the end
(ITI TF-3, 4.2.3.1.6: extra metadata is given back unharmed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from xds.errors import MalformedMessage
from xds.metadata.common import Author, Code, Extra, Text, strings_of
from xds.metadata.registry_object import Classification, ExternalIdentifier, LocalizedString, RegistryObject
from xds.vocab.ebrim import ID_NAMES, STATUS_BY_URN, IdScheme, ObjectKind, Status

T = TypeVar("T")


class Reader:
    """Takes a RegistryObject apart.

    Raises MalformedMessage for an object of another kind, and for a value that cannot be read; the text has no value.
    """

    def __init__(self, obj: RegistryObject, kind: ObjectKind) -> None:
        if obj.kind is not kind:
            raise MalformedMessage(f"the object is a {obj.kind.name}, not a {kind.name}")
        self.obj = obj
        self._slots = dict(obj.slots)
        self._classifications = list(obj.classifications)
        self._identifiers = list(obj.external_identifiers)

    def slots(self, name: str) -> list[str]:
        """All values of a Slot that are not empty."""
        return [value for value in self._slots.pop(name, ()) if value]

    def slot(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The only value of a Slot; None when the Slot is absent or empty. A second value is wrong, and kept."""
        values = self.slots(name)
        if len(values) > 1:
            self._slots[name] = values[1:]
        return self.value(name, parse, values[0]) if values else None

    def value(self, name: str, parse: Callable[[str], T], text: str) -> T:
        try:
            return parse(text)
        except ValueError:
            raise MalformedMessage(f"{name} of the {self.obj.kind.name} cannot be read") from None

    def _take(self, scheme: str, most: int | None = None) -> list[Classification]:
        found = [c for c in self._classifications if c.scheme == scheme][:most]
        if found:
            taken = {id(c) for c in found}
            self._classifications = [c for c in self._classifications if id(c) not in taken]
        return found

    def code(self, scheme: str) -> Code | None:
        found = self._take(scheme, 1)
        return Code.from_classification(found[0]) if found else None

    def codes(self, scheme: str) -> tuple[Code, ...]:
        return tuple(Code.from_classification(c) for c in self._take(scheme))

    def authors(self, scheme: str) -> tuple[Author, ...]:
        return tuple(Author.from_classification(c) for c in self._take(scheme))

    def marked(self, node: str) -> bool:
        """Whether the object has this marker."""
        left = [c for c in self._classifications if c.node != node]
        marked = len(left) < len(self._classifications)
        self._classifications = left
        return marked

    def identifier(self, scheme: str) -> str | None:
        for n, identifier in enumerate(self._identifiers):
            if identifier.scheme == scheme:
                del self._identifiers[n]
                return identifier.value or None
        return None

    @property
    def status(self) -> Status | str | None:
        """availabilityStatus: a Status, or the URN of another."""
        status = self.obj.status
        return STATUS_BY_URN.get(status, status) if status else None

    def extra(self) -> Extra:
        return {name: tuple(values) for name, values in self._slots.items()}

    def extra_classifications(self) -> tuple[Classification, ...]:
        return tuple(self._classifications)

    def extra_identifiers(self) -> tuple[ExternalIdentifier, ...]:
        return tuple(self._identifiers)


class Writer:
    """Puts a RegistryObject together. ``None`` and nothing are left out."""

    def __init__(self, kind: ObjectKind, element: str, id: str) -> None:
        self.obj = RegistryObject(kind, id, element)

    def slot(self, name: str, *values: object) -> None:
        """A Slot; values are written by ``str``. A name that is there already (extra) gets the values first."""
        found = [str(value) for value in values if value is not None]
        if found:
            self.obj.slots[name] = found + self.obj.slots.pop(name, [])

    def code(self, scheme: str, *codes: Code | None) -> None:
        self.obj.classifications += [c.to_classification(scheme, self.obj.id) for c in codes if c is not None]

    def authors(self, scheme: str, authors: Iterable[Author]) -> None:
        self.obj.classifications += [a.to_classification(scheme, self.obj.id) for a in authors]

    def mark(self, node: str) -> None:
        self.obj.classifications.append(Classification(node=node, classified_object=self.obj.id))

    def identifier(self, scheme: IdScheme, value: object | None) -> None:
        if value is not None:
            name = (LocalizedString(ID_NAMES[scheme]),)
            self.obj.external_identifiers.append(
                ExternalIdentifier(scheme.value, str(value), name, registry_object=self.obj.id)
            )

    def common(
        self,
        *,
        status: Status | str | None,
        home: str | None,
        lid: str | None,
        version: str | None,
        name: Text | None,
        description: Text | None,
    ) -> None:
        """What every object may have."""
        o = self.obj
        o.status = status.urn if isinstance(status, Status) else status
        o.home, o.lid, o.version = home, lid, version
        o.name, o.description = strings_of(name), strings_of(description)

    def rest(
        self,
        slots: Extra,
        classifications: Iterable[Classification] = (),
        identifiers: Iterable[ExternalIdentifier] = (),
    ) -> None:
        """What the Framework does not know, last."""
        for name, values in slots.items():
            self.obj.slots.setdefault(name, []).extend(values)
        self.obj.classifications += classifications
        self.obj.external_identifiers += identifiers
