"""What clients have in common when they read a peer's answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from xds.errors import MalformedMessage, PeerRejected, PeerUnreachable, RegistryError
from xds.ports import IncomingResponse


@contextlib.contextmanager
def decoded(answer: IncomingResponse) -> Iterator[None]:
    """While an answer is decoded: one that cannot be read is no answer, and its temporary files go."""
    try:
        yield
    except MalformedMessage as error:
        for part in answer.parts.values():
            if part.path is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part.path)
        raise PeerUnreachable(f"the answer cannot be read: {error}") from error


def refused(who: str, errors: Sequence[RegistryError]) -> PeerRejected:
    """The exception for a failure: its text has codes and locations, its ``errors`` everything."""
    listed = "; ".join(map(str, errors)) or "no reason given"
    return PeerRejected(f"{who} refused: {listed}", errors)
