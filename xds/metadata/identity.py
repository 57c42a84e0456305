"""Identifiers: symbolic ids become UUIDs, and who may have a uniqueId (ITI TF-3, 4.2.3.1.3; ITI TF-2, 3.42.4.1.3.3)."""

from __future__ import annotations

from collections.abc import Callable

from xds.datatypes.ids import is_symbolic, is_uuid, new_uuid
from xds.errors import RegistryError
from xds.metadata.registry_object import RegistryObject, Submission
from xds.metadata.rules.finding import KIND_NAMES
from xds.vocab.ebrim import ObjectKind
from xds.vocab.errors import ErrorCode

#: What has, or wants, a uniqueId: kind of object; of a DocumentEntry also hash in lower case, and size
Owner = tuple[ObjectKind, str | None, int | None]


def unique_id_conflicts(unique_id: str, wanted: Owner, held: Owner, location: str = "") -> list[RegistryError]:
    """Why an object cannot have a uniqueId that another has already; empty when they may share it.

    Only DocumentEntries share one, when their documents are the same (ITI TF-2, 3.42.4.1.3.3). codeContext is the
    uniqueId, and for a set or folder also which of them (ITI TF-3, table 4.2.4.1-2).
    """
    if wanted[0] is not ObjectKind.DOCUMENT_ENTRY or held[0] is not ObjectKind.DOCUMENT_ENTRY:
        text = f"{KIND_NAMES[wanted[0]]} uniqueId {unique_id}"
        return [RegistryError(ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, text, location)]
    errors = []
    if wanted[1] != held[1]:
        errors.append(RegistryError(ErrorCode.NON_IDENTICAL_HASH, unique_id, location))
    if wanted[2] != held[2]:
        errors.append(RegistryError(ErrorCode.NON_IDENTICAL_SIZE, unique_id, location))
    return errors


def assign_uuids(submission: Submission, *, logical_ids: bool = True) -> dict[str, str]:
    """Give every object, Classification and ExternalIdentifier of a submission a UUID; the symbols and their UUIDs.

    The same symbol becomes the same UUID wherever it refers to an object: @id, sourceObject, targetObject,
    classifiedObject, registryObject. What is a UUID stays; a reference to nothing in the submission stays too, for the
    rules to find. With ``logical_ids`` every object becomes the first version of itself: lid := id. The objects are
    changed in place.

    Classifications and ExternalIdentifiers are referred to by nobody: each gets an id of its own, even where a sender
    used one symbol several times.
    """
    new = _numbered()
    assigned: dict[str, str] = {}
    for registry_object in submission.objects:
        symbol = registry_object.id
        if not symbol:
            registry_object.id = new()
        elif is_symbolic(symbol):
            registry_object.id = assigned.get(symbol) or assigned.setdefault(symbol, new())
        if logical_ids:
            registry_object.lid = registry_object.id
    for registry_object in submission.objects:
        if registry_object.source is not None:
            registry_object.source = assigned.get(registry_object.source, registry_object.source)
        if registry_object.target is not None:
            registry_object.target = assigned.get(registry_object.target, registry_object.target)
        _assign_parts(registry_object, assigned, new)
    return assigned


def _assign_parts(owner: RegistryObject, assigned: dict[str, str], new: Callable[[], str]) -> None:
    for classification in owner.classifications:
        if not is_uuid(classification.id):
            classification.id = new()
        if classification.classified_object is not None:
            classification.classified_object = assigned.get(
                classification.classified_object, classification.classified_object
            )
    for identifier in owner.external_identifiers:
        if not is_uuid(identifier.id):
            identifier.id = new()
        if identifier.registry_object is not None:
            identifier.registry_object = assigned.get(identifier.registry_object, identifier.registry_object)


def _numbered() -> Callable[[], str]:
    """Makes UUIDs that count on from one random one (RFC 9562, 6.2, method 2).

    A submission needs twenty; made this way they cost less, and what they have in common is compressed away.
    """
    prefix, number = "", 0xFFFF

    def new() -> str:
        nonlocal prefix, number
        number += 1
        if number > 0xFFFF:
            first = new_uuid()
            prefix, number = first[:-4], int(first[-4:], 16) & 0x7FFF
        return f"{prefix}{number:04x}"

    return new
