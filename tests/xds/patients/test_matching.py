from __future__ import annotations

from tests.xds.patients.matchers import A, B, MatcherConformance, member
from xds.datatypes.hl7 import XPN
from xds.patients.matching import Decision, IdsMatcher, Matcher


class TestIds(MatcherConformance):
    def matcher(self) -> Matcher:
        return IdsMatcher()

    def test_the_same_name_and_birth_date_alone_are_no_evidence(self) -> None:
        assert self.matcher().judge(member(1, A), (member(2, B),)).decision is Decision.NONE

    def test_a_name_in_another_script_is_the_same(self) -> None:
        one = member(1, A, "ID-1234567", names=(XPN("歐陽", "示例"),))
        other = member(2, B, "ID-1234567", names=(XPN("Ouyang", "Shili"),))
        assert self.matcher().judge(one, (other,)).decision is Decision.LINK

    def test_less_precise_birth_dates_do_not_differ(self) -> None:
        one, other = member(1, A, "ID-1234567"), member(2, B, "ID-1234567", birth_time="1970")
        assert self.matcher().judge(one, (other,)).decision is Decision.LINK
