"""How well people are recognised in a region: ``python -m tests.evidence.matching.quality REGION [--profile cn]``.

The region's stream goes through cross-references in memory, which have the semantics of the PIX manager; what comes
out is held against the truth by the region's own scorer.
"""

from __future__ import annotations

import argparse
import csv
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.evidence.matching.regions import Event, events
from xds.matching.matcher import ProfileMatcher
from xds.matching.profile import load_profile
from xds.matching.rehearsal import Rehearsal

ROOT = Path(__file__).resolve().parents[3]


def shared() -> Path:
    """The folder of shared data, beside the checkout or where XDS_SHARED says."""
    return Path(os.environ.get("XDS_SHARED") or ROOT.parent / "shared")


def read_events(region: Path, cache: Path | None) -> list[Event]:
    if cache is not None and cache.exists():
        return pickle.loads(cache.read_bytes())
    found = events(region)
    if cache is not None:
        cache.write_bytes(pickle.dumps(found))
    return found


def rehearse(stream: list[Event], profile: str) -> Rehearsal:
    """The people after every event of the stream."""
    rehearsal = Rehearsal(ProfileMatcher(load_profile(profile)))
    keys = keys_of(stream)
    for event in stream:
        if event.member is not None:
            rehearsal.announce(event.member)
        else:
            rehearsal.retire(keys[event.oid, event.prior], keys[event.oid, event.id])
    return rehearsal


def keys_of(stream: list[Event]) -> dict[tuple[str, str], int]:
    """The key of each registration."""
    return {(event.oid, event.id): event.member.key for event in stream if event.member is not None}


def write(rehearsal: Rehearsal, stream: list[Event], folder: Path) -> tuple[Path, Path]:
    """``result.csv`` and ``review.csv`` as the scorer reads them."""
    names = {key: name for name, key in keys_of(stream).items()}
    result, review = folder / "result.csv", folder / "review.csv"
    with result.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(("hospital", "local_id", "xref_id"))
        rows.writerows((*names[key], person) for key, person in rehearsal.people().items())
    with review.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(("hospital_a", "local_id_a", "hospital_b", "local_id_b"))
        rows.writerows((*names[one], *names[other]) for one, other in rehearsal.reviews)
    return result, review


def score(region: Path, result: Path, review: Path, *options: str | Path) -> int:
    """Hold both files against the truth; the scorer's exit code."""
    command = [sys.executable, shared() / "matching" / "score.py", "--truth", region, "--pred", result]
    return subprocess.run([*command, "--review", review, *options], check=False).returncode


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("region", type=Path)
    options.add_argument("--profile", default="cn")
    options.add_argument("--cache", type=Path, help="keep the decoded stream in this file")
    options.add_argument("--out", type=Path)
    options.add_argument("--examples", default="0")
    options.add_argument("--require", default="")
    given = options.parse_args()
    stream = read_events(given.region, given.cache)
    start = time.process_time()
    rehearsal = rehearse(stream, given.profile)
    took = time.process_time() - start
    folder = given.out or Path(tempfile.mkdtemp())
    result, review = write(rehearsal, stream, folder)
    announced = sum(event.member is not None for event in stream)
    print(
        f"{announced} registrations, {1000 * took / announced:.3f} ms of CPU each,"
        f" {rehearsal.compared / announced:.1f} compared, {sum(rehearsal.capped.values())} keys capped"
    )
    more = ["--examples", given.examples, "--json", folder / "score.json"]
    return score(given.region, result, review, *more, *(["--require", given.require] if given.require else []))


if __name__ == "__main__":
    sys.exit(main())
