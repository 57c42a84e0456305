from __future__ import annotations

from tests.xds.metadata.examples import example, named
from xds.metadata.rules import Finding, check
from xds.metadata.rules.finding import MAX_FINDINGS, Report
from xds.metadata.rules.structure import ONE_SUBMISSION_SET
from xds.vocab.ebrim import ObjectKind, Severity
from xds.vocab.errors import ErrorCode


def the_finding() -> Finding:
    submission = example()
    entry = named(submission, "Document01")
    entry.location = "ExtrinsicObject[1] Document01"
    entry.slots["sourcePatientId"] = ["Wang Guoqiang"]
    (finding,) = check(submission)
    return finding


def test_a_finding_tells_object_attribute_value_section_and_place() -> None:
    finding = the_finding()
    assert (finding.code, finding.kind) == (ErrorCode.REGISTRY_METADATA_ERROR, ObjectKind.DOCUMENT_ENTRY)
    assert (finding.object_id, finding.attribute) == ("Document01", "sourcePatientId")
    assert (finding.value, finding.section) == ("Wang Guoqiang", "ITI TF-3, 4.2.3.1.7")
    assert finding.location == "ExtrinsicObject[1] Document01"


def test_the_sender_gets_all_of_it_in_code_context() -> None:
    error = the_finding().to_error()
    assert error.code is ErrorCode.REGISTRY_METADATA_ERROR
    assert error.severity is Severity.ERROR
    assert error.location == "ExtrinsicObject[1] Document01"
    for part in ("DocumentEntry", "Document01", "sourcePatientId", "Wang Guoqiang", "id^^^&OID&ISO", "4.2.3.1.7"):
        assert part in error.context


def test_a_recipient_can_give_it_a_code_of_its_own() -> None:
    assert the_finding().to_error(ErrorCode.REPOSITORY_METADATA_ERROR).code is ErrorCode.REPOSITORY_METADATA_ERROR


def test_what_may_be_logged_has_no_patient_in_it() -> None:
    finding = the_finding()
    assert "Wang" not in str(finding)
    assert "Wang" not in repr(finding)
    assert "sourcePatientId" in str(finding)


def test_a_long_value_is_cut_in_the_answer() -> None:
    submission = example()
    named(submission, "Document01").slots["sourcePatientId"] = ["x" * 100_000]
    (finding,) = check(submission)
    assert len(finding.to_error().context) < 500


def test_a_finding_about_the_submission_names_no_object() -> None:
    report = Report()
    report.add(ONE_SUBMISSION_SET)
    assert report.findings[0].to_error().context.startswith("Submission: SubmissionSet must stand exactly once")


def test_notes_are_kept_only_for_who_wants_them() -> None:
    submission = example()
    named(submission, "Document01").classifications[0].classified_object = None
    assert check(submission) == []
    notes: list[Finding] = []
    assert check(submission, notes=notes) == []
    assert [note.rule.tolerated for note in notes] == [True]


def test_a_hostile_message_does_not_make_a_report_without_end() -> None:
    submission = example()
    named(submission, "Document01").slots.update({f"slot {n}": ["x"] for n in range(5000)})
    assert len(check(submission)) == MAX_FINDINGS
