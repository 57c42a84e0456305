"""Patient identifiers and the domains they belong to (ITI TF-2 Appendix E; ITI TF-2 3.8.4.1.2.3)."""

from __future__ import annotations

from collections.abc import Iterable

from xds.datatypes.hl7 import CX, HD


def same_authority(one: HD, other: HD) -> bool:
    """Whether two designators denote one assigning authority.

    The universal id decides where both have one; otherwise the namespace does. The type of a universal id is compared
    only when both give it: some senders leave ``ISO`` out.
    """
    if one.universal_id and other.universal_id:
        types = {one.universal_id_type, other.universal_id_type} - {""}
        return one.universal_id == other.universal_id and len(types) < 2
    return bool(one.namespace_id) and one.namespace_id == other.namespace_id


def identifiers_of(identifiers: Iterable[CX], authority: HD, *, adopt: bool = False) -> tuple[CX, ...]:
    """The identifiers of one domain, each once, in the form that metadata has: ``id^^^&OID&ISO``.

    ``authority`` has a universal id, and a namespace when senders use that alone. ``adopt`` counts identifiers without
    any assigning authority as its own, as the Document Registry does with those of its domain (ITI TF-2 3.8.4.1.4).
    """
    domain = HD("", authority.universal_id, authority.universal_id_type or "ISO")
    found = {}
    for identifier in identifiers:
        assigning = identifier.assigning_authority
        if same_authority(assigning, authority) if assigning else adopt:
            found[identifier.id] = CX(identifier.id, domain)
    return tuple(found.values())
