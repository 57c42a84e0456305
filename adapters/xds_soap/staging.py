"""The document bytes of one message: staged as they come, given to who reads the message, or discarded.

Until the actor is called the request owns what it staged, and any failure discards all of it. From then on the actor
owns the documents (a registry that did not answer may yet have them), and only the parts that the envelope never
referred to are discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote

from lxml import etree

from xds.ports import Stage, StagedDocument
from xds.vocab.namespaces import XOP

_INCLUDE: Final = f"{{{XOP}}}Include"


class Staging:
    """What one message has staged. Not thread-safe: a message is worked on by one thread at a time."""

    def __init__(self, stage: Callable[[], Stage]) -> None:
        self._stage = stage
        self._inline: list[Stage] = []
        self._stages: dict[str, Stage] = {}
        self.parts: dict[str, StagedDocument] = {}  # by Content-ID, without brackets

    def __call__(self) -> Stage:
        """A stage for a document that stands inline."""
        stage = self._stage()
        self._inline.append(stage)
        return stage

    def open_part(self, content_id: str) -> Stage:
        """A stage for a part; ``close_part`` makes it available under its Content-ID."""
        stage = self._stages[content_id] = self._stage()
        return stage

    def close_part(self, content_id: str) -> None:
        self.parts[content_id] = self._stages[content_id].finish()

    def discard(self) -> None:
        """Forget everything: nobody has read the message."""
        stages = [*self._stages.values(), *self._inline]
        self._stages, self._inline = {}, []
        for stage in stages:
            stage.discard()

    def hand_over(self, payload: etree._Element) -> int:
        """Somebody is about to read ``payload`` and the documents it refers to; the other parts go: how many?"""
        stages, self._stages, self._inline = self._stages, {}, []
        if not stages:
            return 0
        others = stages.keys() - set(referred(payload))
        for content_id in others:
            stages[content_id].discard()
        return len(others)


def referred(payload: etree._Element) -> Iterator[str]:
    """The Content-IDs that Includes in (or at) an element may mean: as they stand, and with their percent-codes undone
    (RFC 2392).
    """
    for include in payload.iter(_INCLUDE):
        href = include.get("href", "").strip()[4:].strip("<> \t\r\n")
        yield href
        yield unquote(href)
