"""The registry against the naive model of ``tests/model`` over thousands of random sequences.

python -m tests.evidence.model [--sequences 2500] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.evidence.server import REPOSITORY_ROOT, commit, machine
from tests.model.test_model import QUERIES_EACH, SUBMISSIONS


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sequences", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/model"],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "XDS_SEQUENCES": str(options.sequences), "XDS_SEED": str(options.seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    passed = re.search(r"(\d+) passed", last)
    text = (
        f"# The registry against a naive model\n\n{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}\n\n"
        f"`python -m tests.evidence.model --sequences {options.sequences} --seed {options.seed}`\n\n"
        "| measure | value |\n|---|---|\n"
        f"| sequences | {options.sequences} |\n"
        f"| submissions, queries | {options.sequences * SUBMISSIONS}, "
        f"about {options.sequences * SUBMISSIONS * QUERIES_EACH} |\n"
        f"| sequences on which both agree | {passed[1] if passed else 0} |\n"
    )
    print(text)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
    elif options.report:
        options.report.write_text(text)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
