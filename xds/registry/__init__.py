"""Document Registry: keeps metadata and answers for it (ITI TF-1, 10.1.1.3)."""

from __future__ import annotations

from xds.registry.actor import (
    DEFAULT_ASSIGNING_AUTHORITY,
    AffinityDomain,
    DocumentRegistry,
    QueryResult,
)
from xds.registry.link_change import LinkChanges
from xds.registry.patients import AppliedFeed

__all__ = [
    "DEFAULT_ASSIGNING_AUTHORITY",
    "AffinityDomain",
    "AppliedFeed",
    "DocumentRegistry",
    "LinkChanges",
    "QueryResult",
]
