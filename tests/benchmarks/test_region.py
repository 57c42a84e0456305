from __future__ import annotations

from collections import Counter
from itertools import islice

from tests.benchmarks.region import Region
from xds.datatypes.ids import is_oid, is_uuid
from xds.metadata.rules import Profile, check

SMALL = Region(size=2, entries=400, residents=50, heaviest=80)


def test_a_region_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def first(region: Region) -> str:
        submissions = [s for district in region.districts for s in islice(district.submissions(), 20)]
        return repr([o for s in submissions for o in (*s.submission_sets, *s.document_entries, *s.folders)])

    assert first(SMALL) == first(SMALL)
    assert first(SMALL) != first(Region(seed=2, size=2, entries=400, residents=50, heaviest=80))


def test_documents_are_as_many_as_it_says_and_every_submission_is_clean() -> None:
    ids: Counter[str] = Counter()
    of_patients: Counter[str] = Counter()
    for district in SMALL.districts:
        for submission in district.submissions():
            assert list(check(submission, profile=Profile.XDS)) == []
            for o in submission.objects:
                ids.update([o.id, *([o.unique_id] if o.unique_id else [])])
                assert is_uuid(o.id)
                assert o.unique_id is None or is_oid(o.unique_id)
            of_patients.update(o.patient_id for o in submission.document_entries if o.patient_id)
    assert set(ids.values()) == {1}
    assert sum(of_patients.values()) == 800
    assert of_patients.most_common(1)[0][1] == 80


def test_most_residents_have_few_documents_and_some_have_thousands() -> None:
    for number, district in enumerate(Region(size=2).districts):
        counts = sorted(district.documents())
        assert sum(counts) == 100_000
        assert counts[len(counts) // 2] < 10
        assert counts[-2] > 1_000
        assert (counts[-1] == 10_000) is (number == 0)
