from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from xds.stores import schema
from xds.stores.statements import Binds, Statements, chunks, directory_claim, objects_read, padded, places
from xds.vocab.ebrim import ObjectKind


@pytest.mark.parametrize(("number", "expected"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (256, 256), (257, 512)])
def test_lists_have_a_power_of_two_of_places(number: int, expected: int) -> None:
    assert places(number) == expected
    values = list(range(number))
    assert len(padded(values)) == expected
    assert set(padded(values)) == set(values)


def test_long_lists_are_cut() -> None:
    assert chunks([]) == []
    assert [list(part) for part in chunks([1, 2, 3], 2)] == [[1, 2], [3]]


@pytest.mark.parametrize(("dialect", "place"), [("sqlite", r"\?"), ("postgresql", r"\$\d")])
def test_a_statement_is_compiled_once_per_shape(dialect: str, place: str) -> None:
    statements = Statements(dialect)
    first = statements.get(objects_read, ObjectKind.FOLDER, True, 4)
    assert statements.get(objects_read, ObjectKind.FOLDER, True, 4) is first
    assert len(re.findall(place, first.text)) == first.parameters == 5
    assert statements.get(objects_read, ObjectKind.FOLDER, True, 8) is not first
    claim = statements.insert(directory_claim, 3)
    assert claim.parameters == 18
    assert "ON CONFLICT DO NOTHING RETURNING" in " ".join(claim.text.split())


def test_the_cache_of_statements_is_bounded() -> None:
    statements = Statements("sqlite", limit=10)
    for number in range(1, 40):
        statements.get(objects_read, ObjectKind.FOLDER, True, number)
    assert len(statements._cache) <= 10


def test_parameters_out_of_order_are_noticed() -> None:
    b, t = Binds(), schema.patient
    late = b(t.c.state.type)
    query = sa.select(t.c.key).where(t.c.key == b(t.c.key.type), t.c.state == late)
    with pytest.raises(AssertionError, match="out of order"):
        Statements("sqlite").compile(query)
