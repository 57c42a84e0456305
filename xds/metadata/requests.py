"""What the document transactions carry besides registry objects: queries, document requests, documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from xds.metadata.registry_object import RegistryObject, Submission


class ReturnType(StrEnum):
    """ResponseOption/@returnType (ITI TF-2, 3.18.4.1.2.2)."""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


@dataclass(frozen=True, slots=True)
class AdhocQuery:
    """A stored query as it came (ITI TF-2, 3.18.4.1): parameter values are still in their quotes and parentheses.

    A Slot that stands twice is two rows of ``parameters``: that means AND.
    """

    query_id: str  # urn:uuid:…, trimmed
    return_type: str
    parameters: tuple[tuple[str, tuple[str, ...]], ...]
    home: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """rim:ObjectRef of a query answer."""

    id: str
    home: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One DocumentRequest of ITI-43 (ITI TF-2, 3.43.4.1)."""

    repository_unique_id: str
    document_unique_id: str
    home_community_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One DocumentResponse of ITI-43 (ITI TF-2, 3.43.5.1.3).

    ``content`` is a ``ports.StoredDocument`` or ``ports.OutgoingPart`` on the way out, a ``StagedDocument`` on the
    way in. ``home_community_id`` is given back only when the request had it.
    """

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    content: Any
    home_community_id: str | None = None
    new_repository_unique_id: str | None = None
    new_document_unique_id: str | None = None


@dataclass(slots=True)
class RetrieveResponse:
    """A decoded RetrieveDocumentSetResponse, on the client's side; ``errors`` are ``xds.errors.RegistryError``."""

    status: str
    errors: Sequence[Any]
    documents: Sequence[RetrievedDocument]


@dataclass(slots=True)
class ProvidedDocuments:
    """ITI-41: a submission, and its documents by the id of their DocumentEntry (xds:Document/@id).

    Values are ``ports.StagedDocument``. ``repeated`` names Document ids that stood more than once.
    """

    submission: Submission
    documents: Mapping[str, Any]
    repeated: Sequence[str] = ()


@dataclass(slots=True)
class QueryResponse:
    """A decoded AdhocQueryResponse, on the client's side; ``errors`` are ``xds.errors.RegistryError``."""

    status: str
    errors: Sequence[Any]
    objects: Sequence[RegistryObject]
    references: Sequence[ObjectRef]
