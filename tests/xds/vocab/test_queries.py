from __future__ import annotations

import re

import pytest

from xds.vocab.queries import STORED_QUERIES, STORED_QUERY_BY_ID, STORED_QUERY_BY_NAME, Kind, StoredQuery

every_query = pytest.mark.parametrize("query", STORED_QUERIES, ids=lambda query: query.name)


def test_ids_and_names_are_unique() -> None:
    assert len(STORED_QUERY_BY_ID) == len(STORED_QUERY_BY_NAME) == len(STORED_QUERIES) == 16


@every_query
def test_a_query_is_named_by_a_uuid_in_lower_case(query: StoredQuery) -> None:
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", query.id)


@every_query
def test_parameter_names_are_unique_and_begin_with_a_dollar(query: StoredQuery) -> None:
    assert len(query.by_name) == len(query.parameters)
    assert all(name.startswith("$") for name in query.by_name)


@every_query
def test_alternatives_are_parameters_that_are_not_required_by_themselves(query: StoredQuery) -> None:
    for name in query.alternatives:
        assert not query.by_name[name].required


@every_query
def test_what_may_repeat_is_a_list(query: StoredQuery) -> None:
    assert all(parameter.many for parameter in query.parameters if parameter.repeats)


@every_query
def test_times_come_in_pairs(query: StoredQuery) -> None:
    starts = {p.filters for p in query.parameters if p.kind is Kind.TIME_FROM}
    assert starts == {p.filters for p in query.parameters if p.kind is Kind.TIME_TO}


@pytest.mark.parametrize(
    ("name", "repeating"),
    [
        ("FindDocuments", {"event_code", "confidentiality_code"}),
        ("FindDocumentsByReferenceId", {"event_code", "confidentiality_code", "reference_id"}),
        ("FindFolders", {"folder_code"}),
        ("FindSubmissionSets", set()),
        ("GetAll", {"confidentiality_code"}),
        ("GetFolderAndContents", {"confidentiality_code"}),
    ],
)
def test_and_of_lists_is_defined_for_these(name: str, repeating: set[str]) -> None:
    assert {p.filters for p in STORED_QUERY_BY_NAME[name].parameters if p.repeats} == repeating


def test_every_filter_of_find_documents_exclude_has_its_opposite() -> None:
    query = STORED_QUERY_BY_NAME["FindDocumentsExclude"]
    excluding = [p for p in query.parameters if p.excludes]
    assert len(excluding) == 10
    for parameter in excluding:
        included = query.by_name[parameter.name.removesuffix("Exclude")]
        assert (included.kind, included.filters, included.repeats) == (
            parameter.kind,
            parameter.filters,
            parameter.repeats,
        )


def test_the_single_patient_rule_covers_the_queries_the_framework_names() -> None:
    assert {q.name for q in STORED_QUERIES if q.single_patient} == {
        "GetDocuments",
        "GetFolders",
        "GetDocumentsAndAssociations",
        "GetSubmissionSets",
        "GetSubmissionSetAndContents",
        "GetFolderAndContents",
    }
