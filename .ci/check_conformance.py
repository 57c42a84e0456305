"""Compare a run of the conformance plans with the list of those that must pass.

    python .ci/check_conformance.py RESULTS.json tests/conformance_passing.txt [--write]

Exit code 1 when a listed test does not pass. A test that passes and is not listed is named, so that it gets listed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path


def main(arguments: list[str]) -> int:
    results_path, list_path = (Path(each) for each in arguments[:2])
    results = {row["test"]: row for row in json.loads(results_path.read_text("utf-8"))["results"]}
    passing = sorted(test for test, row in results.items() if row["status"] == "pass")
    if "--write" in arguments:
        head = [line for line in list_path.read_text("utf-8").splitlines() if line.startswith("#")]
        list_path.write_text("\n".join([*head, *passing]) + "\n", "utf-8")
    listed = [line for line in list_path.read_text("utf-8").split("\n") if line and not line.startswith("#")]
    broken = [test for test in listed if test not in passing]
    print(
        "conformance:",
        ", ".join(f"{n} {status}" for status, n in Counter(r["status"] for r in results.values()).items()),
    )
    for test in broken:
        row = results.get(test, {"status": "absent", "reason": ""})
        print(f"  must pass, but: {test} {row['status']} {' '.join(row['reason'].split())[:300]}")
    unlisted = [test for test in passing if test not in listed]
    if unlisted:
        print("  passing and not listed yet:", " ".join(unlisted))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
