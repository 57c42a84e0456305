"""MSH-10 and MSH-7 of messages that we begin."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from itertools import count


def control_ids() -> Callable[[], str]:
    """Ids for messages: unique over restarts, at most 20 characters."""
    prefix, numbers = secrets.token_hex(4).upper(), count(1)
    return lambda: f"{prefix}{next(numbers)}"


def time_of(moment: datetime) -> str:
    """A moment in UTC as TS."""
    return f"{moment:%Y%m%d%H%M%S}+0000"
