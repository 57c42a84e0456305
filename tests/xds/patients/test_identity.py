from __future__ import annotations

import pytest

from xds.datatypes.hl7 import CX, HD, NOBODY
from xds.patients.identity import identifiers_of, same_authority


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (HD.oid("1.2.3"), HD.oid("1.2.3"), True),
        (HD("NS", "1.2.3", "ISO"), HD.oid("1.2.3"), True),
        (HD("NS", "1.2.3", "ISO"), HD("OTHER", "1.2.3", "ISO"), True),
        (HD("", "1.2.3", ""), HD.oid("1.2.3"), True),
        (HD("", "1.2.3", "DNS"), HD.oid("1.2.3"), False),
        (HD.oid("1.2.3"), HD.oid("1.2.4"), False),
        (HD("NS", "1.2.4", "ISO"), HD("NS", "1.2.3", "ISO"), False),
        (HD("NS"), HD("NS", "1.2.3", "ISO"), True),
        (HD("NS"), HD("ns", "1.2.3", "ISO"), False),
        (HD("NS"), HD.oid("1.2.3"), False),
        (NOBODY, NOBODY, False),
    ],
)
def test_authorities_are_compared_by_universal_id_first(one: HD, other: HD, same: bool) -> None:
    assert same_authority(one, other) is same
    assert same_authority(other, one) is same


def test_identifiers_of_a_domain_come_once_and_in_the_form_of_metadata() -> None:
    domain = HD("NS", "1.2.3", "ISO")
    given = [CX("1", HD("NS"), "MR"), CX("1", HD.oid("1.2.3")), CX("2", HD.oid("9.9")), CX("3")]
    assert list(map(str, identifiers_of(given, domain))) == ["1^^^&1.2.3&ISO"]
    assert list(map(str, identifiers_of(given, domain, adopt=True))) == ["1^^^&1.2.3&ISO", "3^^^&1.2.3&ISO"]
