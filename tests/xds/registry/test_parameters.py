from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.errors import RequestRejected
from xds.metadata.requests import AdhocQuery
from xds.registry.parameters import (
    DOUBLE_QUOTES,
    LIST_FOR_SINGLE,
    UNQUOTED_PATIENT_ID,
    Arguments,
    read_arguments,
    stored_query,
)
from xds.vocab.ebrim import Status
from xds.vocab.errors import ErrorCode
from xds.vocab.queries import STORED_QUERIES, STORED_QUERY_BY_NAME, StoredQuery

PATIENT = "P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"
APPROVED = Status.APPROVED.urn
DEPRECATED = Status.DEPRECATED.urn
KEYS = (
    ("$XDSDocumentEntryPatientId", (f"'{PATIENT}'",)),
    ("$XDSDocumentEntryStatus", (f"('{APPROVED}')",)),
)
UUID_A = "urn:uuid:00000000-0000-4000-8000-00000000000a"
UUID_B = "urn:uuid:00000000-0000-4000-8000-00000000000b"


def read(
    name: str, *parameters: tuple[str, tuple[str, ...]], notes: list[str] | None = None, return_type: str = "LeafClass"
) -> Arguments:
    query = AdhocQuery(STORED_QUERY_BY_NAME[name].id, return_type, parameters)
    return read_arguments(query, stored_query(query), notes)


def find(*parameters: tuple[str, tuple[str, ...]], notes: list[str] | None = None) -> Arguments:
    return read("FindDocuments", *KEYS, *parameters, notes=notes)


def codes_of(name: str, *parameters: tuple[str, tuple[str, ...]]) -> list[str]:
    with pytest.raises(RequestRejected) as caught:
        read(name, *parameters)
    return [str(error.code) for error in caught.value.errors]


# --------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("('a^^b')", ("a^^b",)),
        ("('a^^b','c^^d')", ("a^^b", "c^^d")),
        ("( 'a^^b' ,\n\t'c^^d' )", ("a^^b", "c^^d")),
        ("  ('a^^b')  ", ("a^^b",)),
        ("('Children''s^^b')", ("Children's^^b",)),
        ("('a,)(^^b')", ("a,)(^^b",)),
        ("('a^^b''')", ("a^^b'",)),
    ],
)
def test_a_list_is_read(written: str, meant: tuple[str, ...]) -> None:
    assert find(("$XDSDocumentEntryClassCode", (written,))).many("$XDSDocumentEntryClassCode") == meant


@pytest.mark.parametrize(
    "written",
    [
        "'a^^b'",
        "a^^b",
        "(a^^b)",
        "('a^^b'",
        "'a^^b')",
        "('a^^b',)",
        "('a^^b' 'c^^d')",
        "('a^^b'c)",
        "('a^^b''",
        "(('a^^b'))",
        "('it's^^b')",
        "('a^^b',\"c^^d\")",
        "",
    ],
)
def test_a_malformed_list_is_an_error(written: str) -> None:
    assert codes_of("FindDocuments", *KEYS, ("$XDSDocumentEntryClassCode", (written,))) == [ErrorCode.REGISTRY_ERROR]


@given(st.lists(st.text().map(lambda text: text + "^^s").filter(lambda text: text.count("^") == 2), min_size=1))
def test_every_list_that_is_written_by_the_grammar_is_read_back(codes: list[str]) -> None:
    codes = [code for code in codes if not code.startswith("^")] or ["x^^s"]
    written = "(" + ",".join("'" + code.replace("'", "''") + "'" for code in codes) + ")"
    assert find(("$XDSDocumentEntryClassCode", (written,))).many("$XDSDocumentEntryClassCode") == tuple(codes)


def refusal(*parameters: tuple[str, tuple[str, ...]]) -> ErrorCode | None:
    try:
        find(*parameters)
    except RequestRejected as rejected:
        return rejected.code
    return None


@given(st.text(alphabet="()',\" a^0", max_size=40))
def test_no_value_breaks_the_reader(written: str) -> None:
    for name in ("$XDSDocumentEntryClassCode", "$XDSDocumentEntryCreationTimeFrom", "$XDSDocumentEntryAuthorPerson"):
        outcome = refusal((name, (written,)))
        assert outcome in (None, ErrorCode.REGISTRY_ERROR, ErrorCode.STORED_QUERY_PARAM_NUMBER)


def test_a_long_unfinished_list_is_read_once() -> None:
    hostile = "('" + "''" * 100_000
    assert codes_of("FindDocuments", *KEYS, ("$XDSDocumentEntryClassCode", (hostile,))) == [ErrorCode.REGISTRY_ERROR]


def test_a_list_split_over_several_values_is_a_union() -> None:
    arguments = read("GetDocuments", ("$XDSDocumentEntryEntryUUID", (f"('{UUID_A}')", f"('{UUID_B}')")))
    assert arguments.many("$XDSDocumentEntryEntryUUID") == (UUID_A, UUID_B)


def test_a_repeated_slot_is_an_and_where_it_is_defined() -> None:
    name = "$XDSDocumentEntryEventCodeList"
    arguments = find((name, ("('a^^s','b^^s')",)), (name, ("('c^^s')",)))
    assert arguments.groups[name] == (("a^^s", "b^^s"), ("c^^s",))


@pytest.mark.parametrize("name", ["$XDSDocumentEntryClassCode", "$XDSDocumentEntryStatus"])
def test_a_repeated_slot_elsewhere_is_one_parameter_too_many(name: str) -> None:
    value = f"('{APPROVED}')" if "Status" in name else "('a^^s')"
    assert codes_of("FindDocuments", *KEYS, (name, (value,)), (name, (value,))) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]


@pytest.mark.parametrize("code", ["a", "a^^", "^^s", "a^s", "a^b^s", "a^^s^x", ""])
def test_a_code_needs_code_and_scheme(code: str) -> None:
    assert codes_of("FindDocuments", *KEYS, ("$XDSDocumentEntryTypeCode", (f"('{code}')",))) == [
        ErrorCode.REGISTRY_ERROR
    ]


@pytest.mark.parametrize("written", ["2010", "201001", "20100131", "2010013123", "201001312359", "20100131235959"])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_time_of_any_precision_is_read_bare_or_quoted(written: str, quoted: bool) -> None:
    name = "$XDSDocumentEntryCreationTimeFrom"
    assert find((name, (f"'{written}'" if quoted else written,))).one(name) == written


@pytest.mark.parametrize(
    "written", ["201", "20101", "20101301", "20100230", "2010-01-01", "'2010+0100'", "('x')", "yes"]
)
def test_a_malformed_time_is_an_error(written: str) -> None:
    assert codes_of("FindDocuments", *KEYS, ("$XDSDocumentEntryCreationTimeTo", (written,))) == [
        ErrorCode.REGISTRY_ERROR
    ]


def test_uuids_are_compared_in_lower_case() -> None:
    arguments = read("GetDocuments", ("$XDSDocumentEntryEntryUUID", (f"('{UUID_A.upper()}')",)))
    assert arguments.many("$XDSDocumentEntryEntryUUID") == (UUID_A,)


def test_unknown_statuses_are_dropped() -> None:
    keys = (KEYS[0], ("$XDSDocumentEntryStatus", (f"('urn:other','{DEPRECATED}')",)))
    assert read("FindDocuments", *keys).statuses("$XDSDocumentEntryStatus") == (Status.DEPRECATED,)


def test_a_status_that_is_reduced_to_nothing_is_missing() -> None:
    keys = (KEYS[0], ("$XDSDocumentEntryStatus", ("('urn:other')",)))
    assert codes_of("FindDocuments", *keys) == [ErrorCode.STORED_QUERY_MISSING_PARAM]


# --------------------------------------------------------------------------- what is tolerated, and noted


@pytest.mark.parametrize(
    ("written", "note"),
    [(PATIENT, UNQUOTED_PATIENT_ID), (f'"{PATIENT}"', DOUBLE_QUOTES), (f"('{PATIENT}')", LIST_FOR_SINGLE)],
)
def test_a_patient_id_in_another_dress_is_read_and_noted(written: str, note: str) -> None:
    notes: list[str] = []
    arguments = read("FindDocuments", ("$XDSDocumentEntryPatientId", (written,)), KEYS[1], notes=notes)
    assert arguments.one("$XDSDocumentEntryPatientId") == PATIENT
    assert notes == [note]


def test_double_quotes_in_a_list_are_read_and_noted() -> None:
    notes: list[str] = []
    arguments = find(("$XDSDocumentEntryClassCode", ('("a^^s", "b^^s")',)), notes=notes)
    assert arguments.many("$XDSDocumentEntryClassCode") == ("a^^s", "b^^s")
    assert notes == [DOUBLE_QUOTES]


def test_a_proper_query_leaves_no_note() -> None:
    notes: list[str] = []
    find(("$XDSDocumentEntryClassCode", ("('a^^s')",)), notes=notes)
    assert notes == []


# --------------------------------------------------------------------------- parameters taken together


@pytest.mark.parametrize("query", STORED_QUERIES, ids=lambda query: query.name)
def test_a_query_without_parameters_misses_all_it_needs(query: StoredQuery) -> None:
    needed = sum(parameter.required for parameter in query.parameters) + bool(query.alternatives)
    assert codes_of(query.name) == [ErrorCode.STORED_QUERY_MISSING_PARAM] * needed
    assert needed


@pytest.mark.parametrize("query", [q for q in STORED_QUERIES if q.alternatives], ids=lambda query: query.name)
def test_two_alternatives_are_one_too_many(query: StoredQuery) -> None:
    parameters = [
        (name, (f"('{UUID_A}')" if query.by_name[name].many else f"'{UUID_A}'",)) for name in query.alternatives[:2]
    ]
    extra = [(p.name, ("('urn:x')",)) for p in query.parameters if p.required]
    assert codes_of(query.name, *parameters, *extra) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]


def test_an_empty_list_counts_as_missing() -> None:
    assert codes_of("GetDocuments", ("$XDSDocumentEntryEntryUUID", ("()",))) == [ErrorCode.STORED_QUERY_MISSING_PARAM]
    assert codes_of("GetDocuments", ("$XDSDocumentEntryEntryUUID", ())) == [ErrorCode.STORED_QUERY_MISSING_PARAM]


@pytest.mark.parametrize("values", [("'a'", "'b'"), ("('a','b')",)])
def test_several_values_for_a_single_parameter_are_too_many(values: tuple[str, ...]) -> None:
    assert codes_of("GetFolderAndContents", ("$XDSFolderUniqueId", values)) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]


def test_unknown_parameters_are_ignored_whatever_they_hold() -> None:
    assert find(("$NoSuchParameter", ("nonsense(",))).groups.keys() == {name for name, _ in KEYS}


def test_every_finding_is_reported_at_once() -> None:
    assert codes_of(
        "FindDocuments",
        ("$XDSDocumentEntryClassCode", ("('a')",)),
        ("$XDSDocumentEntryCreationTimeFrom", ("soon",)),
        ("$XDSDocumentEntryStatus", (f"('{APPROVED}')",)),
    ) == [ErrorCode.REGISTRY_ERROR, ErrorCode.REGISTRY_ERROR, ErrorCode.STORED_QUERY_MISSING_PARAM]


def test_a_filter_and_its_opposite_exclude_each_other() -> None:
    assert codes_of(
        "FindDocumentsExclude",
        *KEYS,
        ("$XDSDocumentEntryClassCode", ("('a^^s')",)),
        ("$XDSDocumentEntryClassCodeExclude", ("('b^^s')",)),
    ) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]


def test_an_unknown_query_is_refused() -> None:
    with pytest.raises(RequestRejected) as caught:
        stored_query(AdhocQuery(UUID_A, "LeafClass", ()))
    assert caught.value.code == ErrorCode.UNKNOWN_STORED_QUERY


def test_a_query_id_may_have_spaces_and_capitals() -> None:
    row = STORED_QUERY_BY_NAME["FindDocuments"]
    assert stored_query(AdhocQuery(f" {row.id.upper()} ", "LeafClass", ())) is row


@pytest.mark.parametrize("return_type", ["RegistryObject", "LeafClassWithRepositoryItem", "leafclass", ""])
def test_a_foreign_return_type_is_refused(return_type: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        read("FindDocuments", *KEYS, return_type=return_type)
    assert caught.value.code == ErrorCode.REGISTRY_ERROR
