from __future__ import annotations

import pytest

from tests.xds.registry.build import PATIENT, entry, submission
from tests.xds.transactions.support import element, exchange, require_valid
from xds.ebxml import rs
from xds.errors import RegistryError
from xds.ports import RegistryResponse
from xds.registry import DocumentRegistry
from xds.stores import SqlStore
from xds.transactions import TRANSACTIONS
from xds.transactions.iti42 import ITI_42, encode_response
from xds.vocab.ebrim import ResponseStatus, Severity
from xds.vocab.errors import ErrorCode


def test_a_submission_is_registered_with_success(store: SqlStore, registry: DocumentRegistry) -> None:
    answer = exchange(ITI_42, registry, rs.encode_submit_objects(submission(entry())), store=store)
    root = element(answer)
    require_valid(root)
    assert rs.decode_registry_response(root) == (ResponseStatus.SUCCESS, ())


def test_a_refusal_is_a_failure_with_every_error(store: SqlStore, registry: DocumentRegistry) -> None:
    request = submission(entry(class_code=(), type_code=(), patient=PATIENT.replace("P1", "P99")))
    root = element(exchange(ITI_42, registry, rs.encode_submit_objects(request), store=store))
    require_valid(root)
    status, errors = rs.decode_registry_response(root)
    assert status == ResponseStatus.FAILURE
    assert [error.code for error in errors] == [ErrorCode.REGISTRY_METADATA_ERROR] * 2


def test_warnings_go_out_with_a_success() -> None:
    warning = RegistryError(ErrorCode.EXTRA_METADATA_NOT_SAVED, "urn:extra", severity=Severity.WARNING)
    root = element(encode_response(RegistryResponse((warning,))))
    require_valid(root)
    assert rs.decode_registry_response(root) == (ResponseStatus.SUCCESS, (warning,))


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.number)
def test_a_failure_is_valid_in_every_transaction(transaction: object) -> None:
    errors = [RegistryError(ErrorCode.REGISTRY_BUSY, "later", "here")]
    require_valid(element(transaction.encode_failure(errors)))  # type: ignore[attr-defined]  # a row


def test_actions_and_numbers_are_unique() -> None:
    assert len({t.binding.action for t in TRANSACTIONS}) == len({t.number for t in TRANSACTIONS}) == len(TRANSACTIONS)
