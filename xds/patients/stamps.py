"""Which demographics of an identity are the newest of each source, so that older ones never overwrite newer ones.

Sources' clocks are not compared with each other: between sources what arrives last counts. A stamp is six bytes for the
source and six for the moment in milliseconds since 1970; most identities have one.
"""

from __future__ import annotations

from typing import Final

_HALF: Final = 6
_SIZE: Final = 2 * _HALF


def moments_of(stamps: bytes) -> dict[int, int]:
    """The moment of each source."""
    return {
        int.from_bytes(stamps[start : start + _HALF]): int.from_bytes(stamps[start + _HALF : start + _SIZE])
        for start in range(0, len(stamps), _SIZE)
    }


def stamped(stamps: bytes, source: int, moment: int) -> bytes | None:
    """``stamps`` with the moment of this source; None when the source said something newer before."""
    name = source.to_bytes(_HALF)
    stamp = name + max(moment, 0).to_bytes(_HALF)
    if not stamps:
        return stamp
    for start in range(0, len(stamps), _SIZE):
        if stamps[start : start + _HALF] == name:
            if stamps[start : start + _SIZE] > stamp:
                return None
            return stamps[:start] + stamp + stamps[start + _SIZE :]
    return stamps + stamp
