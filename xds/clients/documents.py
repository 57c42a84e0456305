"""Document Source and Document Consumer (ITI TF-1, 10.1): submit, find and retrieve documents at any XDS.b system.

::

    source = DocumentSource(SoapExchange("https://repository.example/repository"))
    source.submit(submission_set, [(entry, Path("discharge.xml"))])

    consumer = DocumentConsumer(registry, repository)
    for entry in consumer.find_documents("P0000001^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"):
        consumer.retrieve(entry).save(f"{entry.unique_id}.xml")

How a request reaches the peer is an ``Exchange`` (``xds_soap.SoapExchange``). A refusal raises PeerRejected with the
peer's errors, no usable answer PeerUnreachable: of a submission it is then not known whether it was stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from xds.clients.answers import decoded, refused
from xds.clients.cda import metadata_from_cda
from xds.clients.parameters import adhoc_query, stored_query
from xds.clients.retrieval import Asked, collect
from xds.clients.retrieved import Document, Missing, Retrieval
from xds.datatypes.hl7 import CX
from xds.datatypes.time import DTM
from xds.ebxml import query as ebxml_query
from xds.ebxml import retrieve as ebxml_retrieve
from xds.ebxml import rs as ebxml_rs
from xds.errors import PeerRejected, RegistryError
from xds.metadata.association import Association
from xds.metadata.common import Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.registry_object import RegistryObject
from xds.metadata.requests import DocumentRequest, ObjectRef, ReturnType
from xds.metadata.submission import build_submission, replaces
from xds.metadata.submission_set import SubmissionSet
from xds.ports import Exchange, OutgoingPart, OutgoingRequest, RegistryResponse
from xds.transactions.iti18 import ITI_18
from xds.transactions.iti41 import ITI_41
from xds.vocab.ebrim import ObjectKind, ResponseStatus, Status
from xds.vocab.queries import FIND_DOCUMENTS, StoredQuery

Content = bytes | os.PathLike[str] | Iterable[bytes]
Codes = Code | str | Iterable[Code | str]
Time = DTM | date | str


# --------------------------------------------------------------------------- Document Source


class DocumentSource:
    """Sends documents with their metadata to a repository or recipient (ITI-41; ITI TF-2, 3.41)."""

    def __init__(self, repository: Exchange) -> None:
        self._repository = repository

    def submit(
        self,
        submission_set: SubmissionSet,
        documents: Iterable[tuple[DocumentEntry, Content]] = (),
        *,
        folders: Folder | Iterable[Folder] = (),
        associations: Association | Iterable[Association] = (),
        references: DocumentEntry | str | Iterable[DocumentEntry | str] = (),
        replace: DocumentEntry | str | None = None,
        mtom: bool = True,
    ) -> RegistryResponse:
        """Submit documents; what is returned holds the warnings.

        The bytes of a document are given as such, as the path of a file, or as pieces; files and pieces are streamed.
        ``replace`` is the registered entry, or its entryUUID, whose place the only document takes (RPLC); other
        relationships and folder memberships are ``associations`` (see ``xds.metadata.submission``, which also says
        what ``references`` are). Without ``mtom`` documents go inline as base64, for peers that know nothing else.
        """
        pairs = list(documents)
        relations = [associations] if isinstance(associations, Association) else list(associations)
        if replace is not None:
            if len(pairs) != 1:
                raise ValueError("replace is for one document; use associations for several")
            relations.append(replaces(pairs[0][0], replace))
        submission = build_submission(
            submission_set, [entry for entry, _ in pairs], folders, relations, references=references
        )
        parts = {entry.entry_uuid: _part(entry, content) for entry, content in pairs}
        pieces = ebxml_retrieve.encode_provide(submission, parts)
        action = ITI_41.binding.action
        if mtom:
            body = ebxml_retrieve.to_mtom(pieces)
            answer = self._repository(OutgoingRequest(action, body, mtom=True, parts=tuple(parts.values())))
        else:
            answer = self._repository(OutgoingRequest(action, ebxml_retrieve.to_inline(pieces)))
        with decoded(answer):
            status, errors = ebxml_rs.decode_registry_response(answer.body)
        if status != ResponseStatus.SUCCESS:
            raise refused("the repository", errors)
        return RegistryResponse(errors)

    @staticmethod
    def describe_cda(
        document: bytes | os.PathLike[str],
        *,
        class_codes: Mapping[Code, Code] | None = None,
        time_zone: tzinfo | None = None,
        **attributes: Any,
    ) -> tuple[DocumentEntry, bytes]:
        """A CDA document for ``submit``, its entry filled from its header; ``attributes`` win over the header.

        ::

            source.submit(submission_set, [source.describe_cda(Path("discharge.xml"), patient_id=patient_id, ...)])

        See ``xds.clients.cda.metadata_from_cda`` for what is read and raised. What the header does not say is absent,
        so required attributes may have to be given.
        """
        content = document if isinstance(document, bytes) else Path(document).read_bytes()
        header = metadata_from_cda(content, class_codes=class_codes, time_zone=time_zone)
        return header.entry(**attributes), content


def _part(entry: DocumentEntry, content: Content) -> OutgoingPart:
    part_id = f"{uuid4()}@ihe-xds"
    if isinstance(content, bytes):
        return OutgoingPart(part_id, entry.mime_type, (content,), len(content))
    if isinstance(content, os.PathLike):
        path = Path(content)
        return OutgoingPart(part_id, entry.mime_type, _file(path), path.stat().st_size)
    return OutgoingPart(part_id, entry.mime_type, content)


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(256 * 1024):
            yield piece


# --------------------------------------------------------------------------- Document Consumer


@dataclass(frozen=True)
class Found:
    """What a stored query returned.

    ``objects`` are complete and neutral; the typed lists read them when they are first used, and raise MalformedMessage
    for an object whose values cannot be read. ``errors`` are warnings, or with a partial success also errors: then
    there is more to find than was found.
    """

    objects: Sequence[RegistryObject]
    references: Sequence[ObjectRef]
    errors: Sequence[RegistryError]

    def _of(self, kind: ObjectKind) -> list[RegistryObject]:
        return [found for found in self.objects if found.kind is kind]

    @cached_property
    def document_entries(self) -> list[DocumentEntry]:
        return [DocumentEntry.from_object(found) for found in self._of(ObjectKind.DOCUMENT_ENTRY)]

    @cached_property
    def submission_sets(self) -> list[SubmissionSet]:
        return [SubmissionSet.from_object(found) for found in self._of(ObjectKind.SUBMISSION_SET)]

    @cached_property
    def folders(self) -> list[Folder]:
        return [Folder.from_object(found) for found in self._of(ObjectKind.FOLDER)]

    @cached_property
    def associations(self) -> list[Association]:
        return [Association.from_object(found) for found in self._of(ObjectKind.ASSOCIATION)]


class DocumentConsumer:
    """Finds documents in a registry and retrieves them from repositories (ITI-18, ITI-43).

    ``repositories`` is one exchange for every repositoryUniqueId, or one by repositoryUniqueId.
    """

    def __init__(self, registry: Exchange, repositories: Mapping[str, Exchange] | Exchange | None = None) -> None:
        self._registry = registry
        self._repositories = repositories if repositories is not None else {}

    # ------------------------------------------------------------------- ITI-18

    def query(
        self,
        name: str | StoredQuery,
        *,
        return_type: str = ReturnType.LEAF_CLASS,
        home: str | None = None,
        **parameters: Any,
    ) -> Found:
        """Run a stored query by its name: ``query("GetFolders", folder_unique_id=["1.2.3"])``.

        Parameters have their name in the Framework, in snake case and without ``$XDS``; a list is an OR, and where the
        Framework has an AND a list of lists is one. ``home`` is the homeCommunityId of another community.
        """
        row = stored_query(name)
        request = adhoc_query(row, parameters, return_type=return_type, home=home)
        answer = self._registry(OutgoingRequest(ITI_18.binding.action, ebxml_query.encode_request(request)))
        with decoded(answer):
            response = ebxml_query.decode_response(answer.body)
        if response.status not in (ResponseStatus.SUCCESS, ResponseStatus.PARTIAL_SUCCESS):
            raise refused("the registry", response.errors)
        return Found(response.objects, response.references, response.errors)

    def find_documents(
        self,
        patient_id: CX | str,
        *,
        status: Status | Iterable[Status] = Status.APPROVED,
        class_code: Codes = (),
        type_code: Codes = (),
        practice_setting_code: Codes = (),
        healthcare_facility_type_code: Codes = (),
        format_code: Codes = (),
        event_code_list: Codes | Sequence[Codes] = (),
        confidentiality_code: Codes | Sequence[Codes] = (),
        creation_time_from: Time | None = None,
        creation_time_to: Time | None = None,
        service_start_time_from: Time | None = None,
        service_start_time_to: Time | None = None,
        service_stop_time_from: Time | None = None,
        service_stop_time_to: Time | None = None,
        author_person: str | Iterable[str] = (),
        document_entry_type: str | Iterable[str] = (),
        home: str | None = None,
    ) -> list[DocumentEntry]:
        """The DocumentEntries of a patient, newest first (FindDocuments; ITI TF-2, 3.18.4.1.2.3.7.1).

        ``patient_id`` is of the affinity domain. The upper end of a time range is not in it. ``author_person`` is a
        pattern with ``%`` and ``_``. Raises PeerRejected also when only a part of what there is was found.
        """
        found = self.query(
            FIND_DOCUMENTS,
            home=home,
            document_entry_patient_id=patient_id,
            document_entry_status=status,
            document_entry_class_code=class_code,
            document_entry_type_code=type_code,
            document_entry_practice_setting_code=practice_setting_code,
            document_entry_healthcare_facility_type_code=healthcare_facility_type_code,
            document_entry_format_code=format_code,
            document_entry_event_code_list=event_code_list,
            document_entry_confidentiality_code=confidentiality_code,
            document_entry_creation_time_from=creation_time_from,
            document_entry_creation_time_to=creation_time_to,
            document_entry_service_start_time_from=service_start_time_from,
            document_entry_service_start_time_to=service_start_time_to,
            document_entry_service_stop_time_from=service_stop_time_from,
            document_entry_service_stop_time_to=service_stop_time_to,
            document_entry_author_person=author_person,
            document_entry_type=document_entry_type,
        )
        if any(error.severity.endswith(":Error") for error in found.errors):
            raise PeerRejected("the registry searched only a part of what it has", found.errors)
        return sorted(found.document_entries, key=_newest, reverse=True)

    # ------------------------------------------------------------------- ITI-43

    def retrieve(self, wanted: DocumentEntry | DocumentRequest, *, verify: bool = True) -> Document:
        """One document. Raises PeerRejected when it does not come.

        With ``verify`` bytes that do not have the hash and size of the DocumentEntry count as not having come.
        """
        retrieval = self.retrieve_all([wanted], verify=verify)
        if retrieval.missing:
            errors = retrieval.errors or (retrieval.missing[0].error,)
            raise refused("the repository", errors)
        return retrieval.documents[0]

    def retrieve_all(self, wanted: Iterable[DocumentEntry | DocumentRequest], *, verify: bool = True) -> Retrieval:
        """Several documents, from as many repositories as they are in; what does not come is ``missing``.

        Raises PeerUnreachable only when no repository answered.
        """
        asked = [_asked(one, verify) for one in wanted]
        documents, errors = collect(asked, self._repositories)
        return Retrieval(
            tuple(document for document in documents if isinstance(document, Document)),
            tuple(document for document in documents if isinstance(document, Missing)),
            tuple(errors),
        )


def _newest(entry: DocumentEntry) -> tuple[int, str]:
    return (entry.creation_time.as_number() if entry.creation_time else 0, entry.entry_uuid)


def _asked(wanted: DocumentEntry | DocumentRequest, verify: bool) -> Asked:
    if isinstance(wanted, DocumentRequest):
        return Asked(wanted)
    if wanted.repository_unique_id is None:
        raise ValueError("the DocumentEntry has no repositoryUniqueId: it does not say where its document is")
    request = DocumentRequest(wanted.repository_unique_id, wanted.unique_id, wanted.home_community_id)
    return Asked(request, wanted.hash if verify else None, wanted.size if verify else None)


__all__ = ["Document", "DocumentConsumer", "DocumentSource", "Found", "Missing", "Retrieval"]
