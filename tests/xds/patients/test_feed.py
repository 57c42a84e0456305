from __future__ import annotations

import pytest

from xds.datatypes.hl7 import CX, HD
from xds.patients.feed import IdentityFeed
from xds.vocab.hl7 import FeedEvent

OID = "1.2.3"
LOCAL = CX("L1", HD.oid("9.9"), "MR")


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ((CX.of("1", OID), LOCAL), ("1^^^&1.2.3&ISO",)),
        ((LOCAL,), ()),
        ((CX("1"),), ("1^^^&1.2.3&ISO",)),  # the registry fills in its own domain
        ((CX("1"), LOCAL), ("1^^^&1.2.3&ISO",)),
        ((CX("1"), CX.of("2", OID)), ("2^^^&1.2.3&ISO",)),  # it is there already: the bare one is something else
        ((CX("1"), CX("2")), ()),  # nobody can say which
        ((CX("1", HD("NS", OID, "ISO"), "PI"),), ("1^^^&1.2.3&ISO",)),
        ((CX("a|b", HD.oid(OID)),), (r"a\F\b^^^&1.2.3&ISO",)),
    ],
)
def test_identifiers_of_the_domain(identifiers: tuple[CX, ...], expected: tuple[str, ...]) -> None:
    feed = IdentityFeed(event=FeedEvent.MERGE, identifiers=identifiers, prior_identifiers=identifiers)
    assert feed.of_domain(OID) == expected
    assert feed.prior_of_domain(HD.oid(OID)) == expected


def test_a_namespace_alone_is_enough_where_the_domain_has_one() -> None:
    feed = IdentityFeed(event=FeedEvent.ADMIT, identifiers=(CX("1", HD("NS")),))
    assert feed.of_domain(OID) == ()
    assert feed.of_domain(HD("NS", OID, "ISO")) == ("1^^^&1.2.3&ISO",)


@pytest.mark.parametrize("identifiers", [(), (CX("", HD.oid(OID)),)])
def test_a_feed_names_its_patient(identifiers: tuple[CX, ...]) -> None:
    with pytest.raises(ValueError, match="identity feed"):
        IdentityFeed(event=FeedEvent.ADMIT, identifiers=identifiers)


def test_a_merge_names_who_ends() -> None:
    with pytest.raises(ValueError, match="merge"):
        IdentityFeed(event=FeedEvent.MERGE, identifiers=(LOCAL,))
