from __future__ import annotations

import hashlib

import pytest

from tests.xds.registry.build import PATIENT, entry, submission, unique_id
from tests.xds.transactions.support import element, exchange, require_valid
from xds.ebxml import retrieve, rs
from xds.errors import RegistryError
from xds.metadata.requests import DocumentRequest
from xds.ports import OutgoingPart
from xds.repository import DocumentRepository
from xds.stores import SqlStore
from xds.transactions.iti41 import ITI_41
from xds.vocab.ebrim import ResponseStatus, SlotName
from xds.vocab.errors import ErrorCode

CONTENT = b"\x00binary\r\n\xff"
HASH = hashlib.sha1(CONTENT).hexdigest()


def provide(
    repository: DocumentRepository, store: SqlStore, *, inline: bool, **attributes: object
) -> tuple[str, tuple[RegistryError, ...]]:
    document = entry(**{"hash": HASH, "size": len(CONTENT), **attributes})  # type: ignore[arg-type]  # its keywords
    del document.slots[SlotName.REPOSITORY_UNIQUE_ID]
    pieces = retrieve.encode_provide(
        submission(document), {document.id: OutgoingPart("part@test", "text/plain", [CONTENT])}
    )
    stage = store.stage()
    stage.write(CONTENT)
    parts = {} if inline else {"part@test": stage.finish()}
    body = retrieve.to_inline(pieces) if inline else retrieve.to_mtom(pieces)
    root = element(exchange(ITI_41, repository, body, store=store, parts=parts))
    require_valid(root)
    return rs.decode_registry_response(root)


@pytest.mark.parametrize("inline", [False, True], ids=["mtom", "base64"])
def test_a_document_is_provided(store: SqlStore, repository: DocumentRepository, inline: bool) -> None:
    unique = unique_id()
    assert provide(repository, store, inline=inline, unique=unique) == (ResponseStatus.SUCCESS, ())
    [document] = repository.retrieve([DocumentRequest(repository.unique_id, unique)]).documents
    assert b"".join(document.content.chunks()) == CONTENT


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"hash": "0" * 40}, ErrorCode.REPOSITORY_METADATA_ERROR),
        ({"size": 1}, ErrorCode.REPOSITORY_METADATA_ERROR),
        ({"patient": PATIENT.replace("P1", "P99")}, ErrorCode.UNKNOWN_PATIENT_ID),
        ({"type_code": ()}, ErrorCode.REGISTRY_METADATA_ERROR),
    ],
)
def test_a_refusal_names_who_found_it(
    store: SqlStore, repository: DocumentRepository, attributes: dict[str, object], code: ErrorCode
) -> None:
    status, errors = provide(repository, store, inline=False, **attributes)
    assert status == ResponseStatus.FAILURE
    assert [error.code for error in errors] == [code]
