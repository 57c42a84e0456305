"""What every matcher keeps to: derive a class from this in a test module of its own and say how a matcher is made."""

from __future__ import annotations

import pickle
from dataclasses import replace

from xds.datatypes.hl7 import XPN
from xds.patients.demographics import Demographics
from xds.patients.matching import Decision, Matcher, Member
from xds.patients.terms import quoted_entry, terms_of

A, B = 11, 12  # domains of hospitals
NATION = 99


def member(key: int = 1, domain: int = A, id: str = "", **more: object) -> Member:
    """Somebody with a name and a birth date; ``id`` is of a trusted domain."""
    known: dict[str, object] = {"names": (XPN("Fictitious", "Ada"),), "birth_time": "19700102", "sex": "F", **more}
    quoted = frozenset({quoted_entry(NATION, id)} if id else ())
    return Member(key, domain, Demographics(**known), quoted)  # type: ignore[arg-type]  # by the names given


class MatcherConformance:
    """``matcher`` makes one; ``certain`` are two members whom it links."""

    def matcher(self) -> Matcher:
        raise NotImplementedError

    def certain(self) -> tuple[Member, Member]:
        return member(1, A, "ID-1234567"), member(2, B, "ID-1234567")

    def test_it_has_a_name_for_the_history(self) -> None:
        assert self.matcher().name.isidentifier()

    def test_it_travels_to_the_writer(self) -> None:
        one, other = self.certain()
        again = pickle.loads(pickle.dumps(self.matcher()))  # our own
        assert again.judge(one, (other,)) == self.matcher().judge(one, (other,))

    def test_whom_it_links_it_finds(self) -> None:
        one, other = self.certain()
        wanted = set(self.matcher().terms(one))
        assert wanted & (terms_of(other.demographics, other.quoted) | set(self.matcher().terms(other)))

    def test_it_says_the_same_whoever_comes_first(self) -> None:
        one, other = self.certain()
        there, back = self.matcher().judge(one, (other,)), self.matcher().judge(other, (one,))
        assert there._replace(witness=None) == back._replace(witness=None)
        assert there.decision is Decision.LINK
        assert (there.witness, back.witness) == (other.key, one.key)

    def test_strangers_are_not_linked(self) -> None:
        one = member(1, A, "ID-1234567")
        other = member(2, B, names=(XPN("Nobody", "Else"),), birth_time="19551231", sex="M")
        assert self.matcher().judge(one, (other,)).decision is not Decision.LINK

    def test_nothing_known_is_no_reason_to_link(self) -> None:
        nobody = Member(1, A, Demographics())
        assert list(self.matcher().terms(nobody)) == []
        assert self.matcher().judge(nobody, (replace(nobody, key=2),)).decision is not Decision.LINK

    def test_a_reason_tells_no_patient_data(self) -> None:
        one, other = self.certain()
        for candidate in (other, replace(other, demographics=replace(other.demographics, birth_time="20200101"))):
            reason = self.matcher().judge(one, (candidate,)).reason
            assert reason
            for secret in ("Fictitious", "Ada", "1234567", "1970", "2020"):
                assert secret.casefold() not in reason.casefold()

    def test_every_member_of_a_person_has_a_say(self) -> None:
        one, other = self.certain()
        stranger = member(3, A, "ID-7654321", birth_time="19001231", sex="M")
        assert self.matcher().judge(one, (other, stranger)).decision is not Decision.LINK
