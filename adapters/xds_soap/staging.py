"""The document bytes of one request: staged as they come, given to the transaction, or discarded.

Until the actor is called the request owns what it staged, and any failure discards all of it. From then on the actor
owns the documents (a registry that did not answer may yet have them), and only the parts that the envelope never
referred to are discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from urllib.parse import unquote

from xds.ports import Stage, StagedDocument


class StagedParts(Mapping[str, StagedDocument]):
    """MTOM parts by Content-ID, without brackets; remembers which ones were asked for.

    An id is found as it stands and with its percent-codes undone: RFC 2392 codes only the ``cid:`` side, WCF does so,
    CXF codes the Content-ID header as well.
    """

    def __init__(self) -> None:
        self._parts: dict[str, StagedDocument] = {}
        self._plain: dict[str, str] = {}  # decoded id -> id
        self._asked: set[str] = set()

    def add(self, content_id: str, document: StagedDocument) -> None:
        self._parts[content_id] = document
        self._plain.setdefault(unquote(content_id), content_id)

    def _find(self, content_id: str) -> str | None:
        if content_id in self._parts:
            return content_id
        return self._plain.get(content_id) or self._plain.get(unquote(content_id))

    def __getitem__(self, content_id: str) -> StagedDocument:
        found = self._find(content_id)
        if found is None:
            raise KeyError(content_id)
        self._asked.add(found)
        return self._parts[found]

    def __contains__(self, content_id: object) -> bool:
        return isinstance(content_id, str) and self._find(content_id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def asked(self) -> Set[str]:
        """The Content-IDs of the parts that were asked for, growing."""
        return self._asked


class Staging:
    """What one request has staged. Not thread-safe: a request is worked on by one thread at a time."""

    def __init__(self, stage: Callable[[], Stage]) -> None:
        self._stage = stage
        self._stages: list[tuple[str, Stage]] = []
        self.parts = StagedParts()

    def __call__(self) -> Stage:
        """A stage for a document that stands inline."""
        return self._open("")

    def _open(self, content_id: str) -> Stage:
        stage = self._stage()
        self._stages.append((content_id, stage))
        return stage

    def open_part(self, content_id: str) -> Stage:
        """A stage for a part; ``close_part`` makes it available under its Content-ID."""
        return self._open(content_id)

    def close_part(self, content_id: str, stage: Stage) -> None:
        self.parts.add(content_id, stage.finish())

    def discard(self) -> None:
        """Forget everything: the request failed before an actor saw it."""
        stages, self._stages = self._stages, []
        for _, stage in stages:
            stage.discard()

    def hand_over(self) -> None:
        """The actor is about to be called with the documents; parts that nobody asked for go."""
        self.forget()(self.parts.asked)

    def forget(self) -> Callable[[Collection[str]], None]:
        """Own nothing any more. What comes back discards all parts but those whose Content-IDs it is given."""
        stages, self._stages = self._stages, []

        def discard_others(asked: Collection[str]) -> None:
            for content_id, stage in stages:
                if content_id and content_id not in asked:
                    stage.discard()

        return discard_others
