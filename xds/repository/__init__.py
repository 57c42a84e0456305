"""Document Repository: keeps documents and hands them out (ITI TF-1, 10.1.1.4)."""

from __future__ import annotations

from xds.repository.actor import DEFAULT_REPOSITORY_UNIQUE_ID, DocumentRepository, RetrieveResult

__all__ = ["DEFAULT_REPOSITORY_UNIQUE_ID", "DocumentRepository", "RetrieveResult"]
