"""Every row of the table is broken by a submission that breaks nothing else."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xds.metadata.examples import (
    ALSO_REGISTERED,
    OTHER_PATIENT,
    PATIENT,
    REGISTERED,
    SUBMISSION_SET,
    example,
    named,
)
from tests.xds.metadata.rules.breaking import IDS, breaking, classified, entry_of, identifier, linked, setting, slot
from xds.metadata.codes import CodeTable
from xds.metadata.registry_object import Classification, ExternalIdentifier, LocalizedString, RegistryObject, Submission
from xds.metadata.rules import RULES, Finding, Profile, Rule, check
from xds.metadata.rules.attributes import AUTHOR_SLOTS, LIMITED_METADATA, SLOTS, Checks, plan
from xds.metadata.submission import build_submission, in_folder
from xds.vocab.ebrim import AssociationType, DocumentEntryType, IdScheme, Node, ObjectKind, Scheme
from xds.vocab.errors import ErrorCode

DOMAIN = CodeTable(
    {
        name: {("34133-9", "2.16.840.1.113883.6.1"): "", ("N", "2.16.840.1.113883.5.25"): ""}
        for name in (
            "classCode", "confidentialityCode", "contentTypeCode", "eventCodeList", "formatCode", "typeCode",
            "healthcareFacilityTypeCode", "practiceSettingCode", "folderCodeList", "associationDocumentation",
        )
    },
    frozenset(("text/xml",)),
)  # fmt: skip


@pytest.mark.parametrize("profile", Profile)
def test_a_good_submission_has_no_findings(profile: Profile) -> None:
    notes: list[Finding] = []
    assert check(example(profile), profile=profile, codes=DOMAIN, notes=notes) == []
    assert notes == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_is_reported_when_it_alone_is_broken(rule: Rule) -> None:
    submission, profile = breaking(rule)
    codes = DOMAIN if "in domain" in rule.name else None
    notes: list[Finding] = []
    findings = check(submission, profile=profile, codes=codes, notes=notes)
    assert [finding.rule for finding in (notes if rule.tolerated else findings)] == [rule]
    assert not (findings if rule.tolerated else notes)


def test_the_names_of_the_rules_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.section.startswith("ITI TF-") for rule in RULES)


def test_all_findings_are_reported_at_once() -> None:
    submission = example()
    slot("Document01", "creationTime", "yesterday")(submission)
    del named(submission, "SubmissionSet01").slots["submissionTime"]
    setting("Folder01", name=())(submission)
    linked("urn:unheard-of", "Document01", REGISTERED)(submission)
    assert {finding.rule.name for finding in check(submission)} == {
        "DocumentEntry.creationTime: form",
        "SubmissionSet.submissionTime: required",
        "Folder.title: required",
        "Association: type",
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Submission: one patient", ErrorCode.PATIENT_ID_DOES_NOT_MATCH),
        ("Submission: uniqueIds unique", ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE),
        ("Association: symbol resolves", ErrorCode.UNRESOLVED_REFERENCE),
        ("Association: relationship source", ErrorCode.UNRESOLVED_REFERENCE),
        ("Association: relationship target", ErrorCode.UNRESOLVED_REFERENCE),
    ],
)
def test_some_faults_have_codes_of_their_own(name: str, code: ErrorCode) -> None:
    assert [rule.code for rule in RULES if rule.name == name] == [code]
    others = {rule.code for rule in RULES if rule.code is not ErrorCode.REGISTRY_METADATA_ERROR}
    assert len(others) == 3


@pytest.mark.parametrize("missing", ["creationTime", "hash", "size", "repositoryUniqueId"])
def test_what_the_repository_adds_is_not_asked_of_the_source(missing: str) -> None:
    submission = example(Profile.PROVIDE)
    del named(submission, "Document01").slots[missing]
    wrong = [f.rule.name for f in check(submission, profile=Profile.PROVIDE)]
    assert wrong == (["DocumentEntry.creationTime: required"] if missing == "creationTime" else [])
    assert check(submission, profile=Profile.XDS)


def test_an_on_demand_entry_is_for_its_own_transaction_only() -> None:
    on_demand = example(Profile.ON_DEMAND)
    assert "DocumentEntry.objectType: form" in {f.rule.name for f in check(on_demand)}
    stable = {f.rule.name for f in check(example(), profile=Profile.ON_DEMAND)}
    assert "DocumentEntry.objectType: form" in stable
    assert "DocumentEntry.hash: prohibited" in stable


def test_registered_entries_can_be_all_that_is_submitted() -> None:
    assert check(build_submission(SUBMISSION_SET, references=REGISTERED)) == []
    assert check(build_submission(SUBMISSION_SET, associations=in_folder(ALSO_REGISTERED, REGISTERED))) == []


def test_a_missing_object_type_of_a_package_and_a_missing_mime_type_have_the_schema_s_defaults() -> None:
    submission = example()
    setting("SubmissionSet01", object_type=None)(submission)
    setting("Document01", mime_type=None)(submission)
    assert check(submission) == []
    findings = check(submission, codes=CodeTable(mime_types=frozenset(("text/xml",))))
    assert [f.rule.name for f in findings] == ["DocumentEntry.mimeType: in domain"]
    assert check(submission, codes=CodeTable(mime_types=frozenset(("application/octet-stream",)))) == []


def test_mime_types_are_compared_without_case_and_parameters() -> None:
    submission = example()
    setting("Document01", mime_type="Text/XML; charset=utf-8")(submission)
    assert check(submission, codes=DOMAIN) == []


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ("2026", "2026"),
        ("202609", "20260901"),
        ("20260904", "2026"),
        ("20260904120000", "202609"),
        ("20260904120000", "20260904120000"),
    ],
)
def test_start_and_stop_of_different_precision_are_compared_generously(start: str, stop: str) -> None:
    submission = example()
    slot("Document01", "serviceStartTime", start)(submission)
    slot("Document01", "serviceStopTime", stop)(submission)
    assert check(submission) == []


def test_an_entry_of_another_patient_may_be_referred_to_but_not_submitted() -> None:
    submission = example()
    identifier(entry_of(submission), IdScheme.DOCUMENT_ENTRY_PATIENT_ID).value = OTHER_PATIENT
    (finding,) = check(submission)
    error = finding.to_error()
    assert error.code == ErrorCode.PATIENT_ID_DOES_NOT_MATCH
    assert OTHER_PATIENT in error.context
    assert "P1^^^" in error.context


def test_without_a_submission_set_its_absence_is_the_finding() -> None:
    submission = example()
    submission.objects = [o for o in submission.objects if o.kind in (ObjectKind.DOCUMENT_ENTRY, ObjectKind.FOLDER)]
    assert [f.rule.name for f in check(submission)] == ["Submission: one SubmissionSet"]
    assert [f.rule.name for f in check(Submission([]))] == ["Submission: one SubmissionSet"]


def test_an_uri_may_come_in_numbered_parts() -> None:
    submission = example()
    slot("Document01", "URI", "1|http://a/", "2|b")(submission)
    assert check(submission) == []


def test_an_empty_value_does_not_satisfy_a_required_attribute() -> None:
    submission = example()
    slot("Document01", "creationTime", "")(submission)
    identifier(entry_of(submission), IdScheme.DOCUMENT_ENTRY_UNIQUE_ID).value = ""
    setting("Folder01", name=(LocalizedString(""),))(submission)
    assert {f.rule.name for f in check(submission)} == {
        "DocumentEntry.creationTime: required",
        "DocumentEntry.uniqueId: required",
        "Folder.title: required",
    }


def test_updates_may_link_registered_objects_and_change_their_status() -> None:
    submission = example(Profile.UPDATE)
    setting("Signature", source=REGISTERED)(submission)
    linked(AssociationType.SUBMIT_ASSOCIATION, "SubmissionSet01", "Signature")(submission)
    assert check(submission, profile=Profile.UPDATE) == []
    assert {f.rule.name for f in check(submission)} == {"Association: relationship source", "Association: type"}


def test_a_marker_of_another_kind_and_unknown_nodes_are_kept() -> None:
    submission = example()
    classified("Document01", Classification(node="urn:uuid:00000000-0000-4000-8000-000000000001"))(submission)
    assert check(submission) == []


def test_every_attribute_row_is_used_by_its_plan() -> None:
    for kind in IDS:
        ready: tuple[Checks, ...] = tuple(plan(kind, Profile.XDS).slots.values())
        assert {checks.name for checks in ready} == {row.name for row in SLOTS if row.kind is kind}


def test_node_identifiers_of_limited_metadata_belong_to_their_kind() -> None:
    assert {row.source for row in LIMITED_METADATA} == {
        Node.LIMITED_DOCUMENT_ENTRY,
        Node.LIMITED_SUBMISSION_SET,
        Node.LIMITED_FOLDER,
    }


ids = st.sampled_from(("", "a", "b", REGISTERED, "urn:uuid:broken"))
maybe = st.none() | st.sampled_from(("", "x", "2026", "a^b", PATIENT))
slots = st.dictionaries(
    st.sampled_from([row.source for row in (*SLOTS, *AUTHOR_SLOTS)]) | st.just("codingScheme") | st.text(max_size=3),
    st.lists(st.text(max_size=3) | st.just("20260904"), max_size=2),
    max_size=4,
)
markers = st.none() | st.sampled_from([*Scheme, *Node]) | ids
names = st.lists(st.builds(LocalizedString, st.text(max_size=2)), max_size=2).map(tuple)
objects = st.builds(
    RegistryObject,
    kind=st.sampled_from(ObjectKind),
    id=ids,
    object_type=maybe | st.sampled_from(DocumentEntryType),
    mime_type=maybe,
    lid=maybe,
    slots=slots,
    name=names,
    classifications=st.lists(
        st.builds(
            Classification,
            markers,
            markers,
            maybe,
            slots,
            names,
            id=ids,
            classified_object=maybe,
        ),
        max_size=3,
    ),
    external_identifiers=st.lists(
        st.builds(ExternalIdentifier, st.sampled_from(IdScheme) | ids, st.text(max_size=3), names, ids, maybe),
        max_size=3,
    ),
    association_type=maybe | st.sampled_from(AssociationType),
    source=st.none() | ids,
    target=st.none() | ids,
)


@given(st.lists(objects, max_size=5), st.sampled_from(Profile))
def test_whatever_comes_in_there_are_findings_and_no_failure(found: list[RegistryObject], profile: Profile) -> None:
    notes: list[Finding] = []
    before = deepcopy(found)
    findings = check(Submission(found), profile=profile, codes=DOMAIN, notes=notes)
    assert findings  # none of these is a good submission
    assert not {finding.rule for finding in findings} & {note.rule for note in notes}
    assert all(finding.to_error().context for finding in findings)
    assert found == before
