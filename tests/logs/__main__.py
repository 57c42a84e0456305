"""``python -m tests.logs FOLDER``: what was found in the logs of a run that failed for it, with the values."""

import sys
from pathlib import Path

from tests.logs import check, plugin

for leak in check.check(Path(sys.argv[1]), plugin.ALLOWED):
    print(f"{leak}: {leak.value!r} in {leak.line!r}")
