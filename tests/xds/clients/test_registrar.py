"""A repository whose registry is another system: what each answer means, and the doubt that remains without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.xds.clients.test_documents import answer, failing
from tests.xds_soap.systems import PATIENT, Platform, entry, platform, submission_set
from xds.clients.registrar import RemoteRegistrar
from xds.ebxml import query, rs
from xds.errors import PeerRejected, PeerUnreachable, RegistryError, RequestRejected
from xds.metadata.submission import build_submission
from xds.repository.actor import DocumentRepository
from xds.stores import open_store
from xds.vocab.actors import Actor
from xds.vocab.ebrim import ResponseStatus, Severity
from xds.vocab.errors import ErrorCode
from xds_soap import SoapEndpoint

KNOWN = RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "x")
OWN = RegistryError("VendorCode", "y")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Platform]:
    folder = tmp_path / "registry"
    folder.mkdir()
    with platform(folder) as system:
        yield system


def response(status: str, *errors: RegistryError) -> RemoteRegistrar:
    return RemoteRegistrar(answer(rs.encode_registry_response(status, errors)))


def submission() -> Any:
    return build_submission(submission_set(), [entry(size=1, hash="0" * 40, repository_unique_id="1.2.3")])


def test_a_submission_is_registered_in_another_system(registry: Platform) -> None:
    registrar = RemoteRegistrar(registry.exchange("/registry"))
    sent = submission()
    unique_id = sent.submission_sets[0].unique_id
    assert not registrar.is_registered(unique_id)
    assert registrar.register(sent).errors == ()
    assert registrar.is_registered(unique_id)
    [found] = registry.consumer.find_documents(PATIENT)
    assert found.repository_unique_id == "1.2.3"


@pytest.mark.parametrize(
    ("errors", "codes"),
    [
        ([KNOWN], [ErrorCode.UNKNOWN_PATIENT_ID]),
        ([KNOWN, OWN], [ErrorCode.UNKNOWN_PATIENT_ID, "VendorCode"]),
        ([OWN, KNOWN], [ErrorCode.REGISTRY_ERROR, "VendorCode", ErrorCode.UNKNOWN_PATIENT_ID]),
        ([], [ErrorCode.REGISTRY_ERROR]),
    ],
)
def test_a_failure_is_a_rejection_with_all_errors(errors: list[RegistryError], codes: list[str]) -> None:
    with pytest.raises(RequestRejected) as raised:
        response(ResponseStatus.FAILURE, *errors).register(submission())
    assert [error.code for error in raised.value.errors] == codes
    assert raised.value.code == codes[0]


def test_errors_beside_a_success_are_warnings() -> None:
    [error] = response(ResponseStatus.SUCCESS, OWN).register(submission()).errors
    assert (error.code, error.severity) == ("VendorCode", Severity.WARNING)


DOUBTS: list[Callable[..., Any]] = [
    failing(PeerUnreachable("timeout")),
    failing(PeerRejected("a fault")),
    answer(b"<rim:Something/>"),
    answer(rs.encode_registry_response(ResponseStatus.PARTIAL_SUCCESS, [OWN])),
    answer(rs.encode_registry_response("urn:unheard")),
]


@pytest.mark.parametrize("exchange", DOUBTS)
def test_everything_else_leaves_the_outcome_open(exchange: Any) -> None:
    with pytest.raises(PeerUnreachable):
        RemoteRegistrar(exchange).register(submission())


@pytest.mark.parametrize(
    "exchange",
    [
        *DOUBTS[:3],
        answer(b"".join(query.encode_response(ResponseStatus.FAILURE, [OWN], []))),
        answer(b"".join(query.encode_response(ResponseStatus.PARTIAL_SUCCESS, [OWN], []))),
    ],
)
def test_absence_is_only_believed_when_it_is_said(exchange: Any) -> None:
    with pytest.raises(PeerUnreachable):
        RemoteRegistrar(exchange).is_registered("1.2.3")


def test_a_repository_registers_at_another_system(registry: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    store = open_store(f"sqlite:///{folder / 'xds.db'}", documents=folder / "documents")
    repository = DocumentRepository(store, RemoteRegistrar(registry.exchange("/registry")), unique_id="1.2.3.4")
    own = Platform(store, registry.registry, repository, SoapEndpoint({Actor.DOCUMENT_REPOSITORY: repository}, store))
    own.source.submit(submission_set(), [(entry(), b"document")])
    [found] = registry.consumer.find_documents(PATIENT)
    assert found.repository_unique_id == "1.2.3.4"
    assert own.consumer.retrieve(found).read() == b"document"
    store.close()
