from __future__ import annotations

import pickle

import pytest

from xds.datatypes.hl7 import HD
from xds.patients.domains import CheckDigit, Domain, Domains, Mode, Source, is_plausible

HOSPITAL = HD("HA", "1.2.3", "ISO")
AFFINITY = HD("XAD", "1.9", "ISO")


@pytest.fixture
def table() -> Domains:
    return Domains(
        [
            Domain(authority=HOSPITAL, sources=(Source("HIS", "WEST"), Source("LAB"))),
            Domain(authority=HD("HB", "1.2.4", "ISO"), sources=(Source("HIS", "EAST"),)),
            Domain(authority=HD("ID", "1.2.5", "ISO"), trusted=True),
        ],
        affinity="1.9",
    )


@pytest.mark.parametrize(
    "authority", [HOSPITAL, HD("HA"), HD("", "1.2.3", "ISO"), HD("", "1.2.3"), HD("other name", "1.2.3", "ISO")]
)
def test_a_domain_is_found_by_every_valid_combination_of_its_names(table: Domains, authority: HD) -> None:
    found = table.find(authority)
    assert found is not None
    assert found.authority == HOSPITAL


@pytest.mark.parametrize("authority", [HD(), HD("HX"), HD("HA", "9.9", "ISO"), HD("", "1.2.3", "DNS")])
def test_a_closed_table_knows_only_its_rows(table: Domains, authority: HD) -> None:
    assert table.find(authority) is None


def test_a_table_without_rows_is_open_and_has_the_affinity_domain() -> None:
    table = Domains(affinity=AFFINITY)
    assert table.find(HD("XAD")) is table.affinity
    found = table.find(HD.oid("7.7"))
    assert found is not None
    assert not found.configured
    assert table.find(HD()) is None


def test_the_affinity_domain_may_stand_in_the_table() -> None:
    table = Domains([Domain(authority=AFFINITY, sources=(Source("MPI"),))], affinity="1.9")
    assert table.affinity is table.rows[0]
    assert len(table.rows) == 1


def test_a_source_speaks_for_its_domains(table: Domains) -> None:
    hospital = table.find(HOSPITAL)
    assert hospital is not None
    assert hospital.may_be_fed_by(HD("HIS"), HD("WEST"))
    assert hospital.may_be_fed_by(HD("LAB"), HD())
    assert not hospital.may_be_fed_by(HD("HIS"), HD("EAST"))
    assert table.of_source(HD("HIS"), HD("EAST")) is table.find(HD("HB"))
    assert table.of_source(HD("HIS"), HD("NORTH")) is None


def test_a_number_stands_for_a_domain_whatever_its_namespace() -> None:
    assert Domain(authority=HOSPITAL).number == Domain(authority=HD.oid("1.2.3")).number
    assert Domain(authority=HD("1.2.3")).number != Domain(authority=HD.oid("1.2.3")).number
    assert 0 <= Domain(authority=HOSPITAL).number < 2**48


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="same universal id"):
        Domains([Domain(authority=HOSPITAL), Domain(authority=HD("HB", "1.2.3", "ISO"))])
    with pytest.raises(ValueError, match="same namespace"):
        Domains([Domain(authority=HOSPITAL), Domain(authority=HD("HA", "1.2.4", "ISO"))])
    with pytest.raises(ValueError, match="affinity domain"):
        Domains(mode=Mode.ASSIGNED)
    with pytest.raises(ValueError, match="assigning authority"):
        Domain(authority=HD())


def test_a_table_travels(table: Domains) -> None:
    assert pickle.loads(pickle.dumps(table)).find(HD("HA")) == table.find(HOSPITAL)  # our own


@pytest.mark.parametrize(
    ("id", "plausible"),
    [
        ("11010519491231002X", True),
        ("11010519491231002x", True),
        ("110105194912310021", False),
        ("11010519491231002", False),
        ("12345678901234567X", False),
    ],
)
def test_a_check_digit_tells_slips(id: str, plausible: bool) -> None:
    domain = Domain(authority=HD("ID"), trusted=True, check_digit=CheckDigit.CN)
    assert is_plausible(domain, id) is plausible


@pytest.mark.parametrize("id", ["", "0000", "000000000", "999999999", "123456789", "987654321", "1212"])
def test_placeholders_are_nobodys_number(id: str) -> None:
    assert not is_plausible(Domain(authority=HD("ID"), trusted=True), id)
