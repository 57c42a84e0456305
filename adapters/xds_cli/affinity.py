"""One process, one core.

The threads of a Python process take turns. When the turn goes from core to core, each request pays for waking the other
core and for its cold caches: ITI-18 with 16 connections took 1.37 ms of CPU on two idle cores and 0.43 ms on one of
them (docs/decisions/one-core-per-process.md). More cores are used by more processes.
"""

from __future__ import annotations

import os
import sys


def keep_to_one_core(number: int) -> int | None:
    """Let this thread, and those it starts, run on one of the cores this process may use, and say which.

    Processes with neighbouring ``number`` get different cores. None when there is nothing to choose: one core, a system
    without affinities, or a Python whose threads really run side by side.
    """
    if not hasattr(os, "sched_setaffinity") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None
    core = cores[number % len(cores)]
    os.sched_setaffinity(0, {core})
    return core
