"""ITI-43 over several repositories: who is asked for what, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xds.clients.answers import decoded
from xds.clients.retrieved import Document, Missing
from xds.ebxml import retrieve as ebxml_retrieve
from xds.errors import PeerRejected, PeerUnreachable, RegistryError
from xds.metadata.requests import DocumentRequest, RetrieveResponse
from xds.ports import Exchange, OutgoingRequest
from xds.transactions.iti43 import ITI_43
from xds.vocab.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Asked:
    """A document that is wanted, and what its bytes must be when that is known."""

    request: DocumentRequest
    hash: str | None = None
    size: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.request.repository_unique_id, self.request.document_unique_id)

    def fits(self, document: Document) -> bool:
        same_hash = self.hash is None or self.hash.lower() == document.hash
        return same_hash and (self.size is None or self.size == document.size)


def collect(
    asked: Sequence[Asked], repositories: Mapping[str, Exchange] | Exchange
) -> tuple[list[Document | Missing], list[RegistryError]]:
    """For everything asked the document or why it is missing, in order; and all errors the repositories reported.

    Raises PeerUnreachable, or PeerRejected for a fault, when no repository gave an answer.
    """
    came: dict[tuple[str, str], Document] = {}
    errors: list[RegistryError] = []
    silent: dict[str, RegistryError] = {}
    failures: list[PeerRejected | PeerUnreachable] = []
    groups = _by_repository(asked, repositories, silent)
    for exchange, wanted in groups.values():
        try:
            response = _ask(exchange, wanted)
        except (PeerUnreachable, PeerRejected) as error:
            failures.append(error)
            for one in wanted:
                silent[one.request.repository_unique_id] = RegistryError(ErrorCode.REPOSITORY_ERROR, str(error))
            continue
        errors += response.errors
        _take(response, wanted, came)
    if groups and len(failures) == len(groups):
        raise failures[0]
    return [_result(one, came, errors, silent) for one in asked], errors


def _by_repository(
    asked: Sequence[Asked], repositories: Mapping[str, Exchange] | Exchange, silent: dict[str, RegistryError]
) -> dict[int, tuple[Exchange, list[Asked]]]:
    groups: dict[int, tuple[Exchange, list[Asked]]] = {}
    for one in asked:
        repository = one.request.repository_unique_id
        exchange = repositories.get(repository) if isinstance(repositories, Mapping) else repositories
        if exchange is None:
            silent[repository] = RegistryError(ErrorCode.UNKNOWN_REPOSITORY_ID, "there is no exchange for it")
        else:
            groups.setdefault(id(exchange), (exchange, []))[1].append(one)
    return groups


def _ask(exchange: Exchange, wanted: Sequence[Asked]) -> RetrieveResponse:
    body = ebxml_retrieve.encode_retrieve_request([one.request for one in wanted])
    answer = exchange(OutgoingRequest(ITI_43.binding.action, body, mtom=True))
    with decoded(answer):
        return ebxml_retrieve.decode_retrieve_response(answer.body, answer.parts)


def _take(response: RetrieveResponse, wanted: Sequence[Asked], came: dict[tuple[str, str], Document]) -> None:
    """Keep what was asked for: what a peer sends beyond that is no answer to anything, and might be taken for one."""
    keys = {one.key for one in wanted}
    for retrieved in response.documents:
        document = Document(retrieved)
        key = (document.repository_unique_id, document.document_unique_id)
        if key in keys and key not in came:
            came[key] = document
        else:
            document.close()


def _result(
    one: Asked,
    came: Mapping[tuple[str, str], Document],
    errors: Sequence[RegistryError],
    silent: Mapping[str, RegistryError],
) -> Document | Missing:
    document = came.get(one.key)
    request = one.request
    if document is None:
        return Missing(request, _why(request, errors, silent))
    if not one.fits(document):
        context = "the bytes do not have the hash and size of their DocumentEntry"
        return Missing(request, RegistryError(ErrorCode.REPOSITORY_ERROR, context))
    return document


def _why(
    request: DocumentRequest, errors: Sequence[RegistryError], silent: Mapping[str, RegistryError]
) -> RegistryError:
    """The error about this document: ITI-43 puts its id in location, or in codeContext (ITI TF-2, 3.43.5)."""
    if request.repository_unique_id in silent:
        return silent[request.repository_unique_id]
    whole = re.compile(rf"(?<![\w.]){re.escape(request.document_unique_id)}(?![\w.])")
    for error in errors:
        if error.location == request.document_unique_id or whole.search(error.context):
            return error
    return RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID, "the document is not in the answer")
