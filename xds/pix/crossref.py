"""The identifiers a person has in other domains: ITI-9 (ITI TF-2 3.9), on one snapshot of the store."""

from __future__ import annotations

from xds.datatypes.hl7 import CX
from xds.patients.directory import Directory, holders, identifiers_of_person
from xds.patients.domains import Domain, Domains
from xds.patients.queries import CrossReferenceQuery, UnknownDomain, UnknownIdentifier
from xds.patients.records import Identity
from xds.ports import Reader


def find_identifiers(domains: Domains, query: CrossReferenceQuery, reader: Reader) -> tuple[CX, ...]:
    """The answer to ITI-9 (ITI TF-2 3.9.4.2.2.6): domain, identifier and wanted domains are checked in this order.

    An identifier that ended in another is as good as unknown, and so is one of a trusted domain that several people
    have.
    """
    directory = Directory(domains, reader)
    domain = directory.find(query.identifier.assigning_authority)
    if domain is None:
        raise UnknownDomain
    if domain.trusted:
        members = _person_of(reader, domain, query.identifier.id)
    else:
        identity = reader.identity(domain.number, query.identifier.id)
        if identity is None or not identity.active:
            raise UnknownIdentifier("the identifier is not known")
        members = [identity] if identity.person is None else reader.persons([identity.person])
    wanted = directory.find_all(query.domains) if query.domains else None
    found = identifiers_of_person(directory, members, wanted)
    asked = (domain.number, query.identifier.id)
    return tuple(cx for number, cx in found if (number, cx.id) != asked)


def _person_of(reader: Reader, domain: Domain, id: str) -> list[Identity]:
    """The person who quotes this identifier of a trusted domain."""
    groups = {identity.group for identity in holders(reader, domain, id)}
    if len(groups) != 1:
        raise UnknownIdentifier("nobody, or not one person alone, has the identifier")
    return reader.persons(groups)
