"""What the registry does in each case of ITI-64: the page docs/reference/feeds.md, and a test for each row."""

from __future__ import annotations

from typing import Final

from xds.patients.cases import Case

LINK_CHANGE_CASES: Final = (
    Case(
        "the local identifier has Approved documents",
        "each has a new version under the new XAD-PID; the previous patient's are Deprecated",
        "AA",
        "ITI TF-2, 3.64.4.1.3",
        "test_an_entry_moves_by_a_new_version",
    ),
    Case(
        "documents of a subsumed local identifier",
        "likewise, and sourcePatientId is the local identifier; sourcePatientInfo stays as the source wrote it",
        "AA",
        "ITI TF-2, 3.64.4.1.3",
        "test_a_subsumed_local_identifier_becomes_the_local_one",
    ),
    Case(
        "both XAD-PIDs are the same",
        "new versions of what has the subsumed local identifier, the rest stays as it is",
        "AA",
        "ITI TF-2, 3.64.4.1.2",
        "test_a_merge_of_local_identifiers_leaves_what_has_the_right_one",
    ),
    Case(
        "the subsumed local identifier is the local one",
        "as if there were none",
        "AA",
        "not said",
        "test_a_subsumed_identifier_that_is_the_local_one_is_none",
    ),
    Case(
        "the same again, or no document of the local identifier",
        "none, and no SubmissionSet",
        "AA",
        "DESIGN D12",
        "test_a_repeat_is_harmless",
    ),
    Case(
        "the reverse of an earlier change",
        "further versions of the same objects",
        "AA",
        "not said",
        "test_there_and_back_again_is_a_third_version",
    ),
    Case(
        "Deprecated documents, folders and SubmissionSets",
        "never touched",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1.3",
        "test_a_deprecated_entry_is_never_touched",
    ),
    Case(
        "a relationship of two documents that both move",
        "repeated between the new versions",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_a_relationship_is_repeated_when_both_ends_move",
    ),
    Case(
        "a relationship of a document that moves with one that stays with the previous patient",
        "dropped: it is Deprecated",
        "AA, counted",
        "ITI TF-2, 3.64.4.1.3.2",
        "test_a_relationship_to_what_stays_is_dropped",
    ),
    Case(
        "RPLC or XFRM_RPLC of a document that moves",
        "stays between the old versions",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_the_relationship_of_a_replacement_is_lost_and_no_conflict",
    ),
    Case(
        "a relationship within one patient",
        "repeated from the new version; the old one is Deprecated",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_within_one_patient_every_relationship_is_repeated",
    ),
    Case(
        "a folder whose Approved documents all move",
        "it has a new version, with their new versions in it",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_a_folder_moves_when_everything_in_it_does",
    ),
    Case(
        "a folder with Approved documents that stay",
        "it stays, and what moves is no longer in it",
        "AA, counted",
        "ITI TF-2, 3.64.4.1.3.2",
        "test_a_folder_with_others_in_it_stays_and_loses_what_moves",
    ),
    Case(
        "a folder within one patient",
        "it keeps its version, and holds the new version of the document instead of the old one",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_within_one_patient_a_folder_keeps_its_version_and_holds_the_new_one",
    ),
    Case(
        "a SubmissionSet that refers to a document that moves",
        "it refers to the new version; the reference to the old one is Deprecated",
        "AA",
        "ITI TF-2, 3.64.4.1.3.1",
        "test_a_reference_follows_the_entry",
    ),
    Case(
        "documents of an identifier that had ended in the previous XAD-PID",
        "they move as its own",
        "AA",
        "DESIGN D12",
        "test_documents_that_followed_a_merge_move_too",
    ),
    Case(
        "the previous XAD-PID has ended in the new one",
        "as if both were the same",
        "AA",
        "not said",
        "test_a_previous_patient_who_ended_in_the_new_one_is_the_new_one",
    ),
    Case(
        "an XAD-PID is unknown, or of another domain; a subsumed identifier of another domain than the local one",
        "none",
        "AE 204",
        "ITI TF-2, 3.64.4.1.2",
        "test_nothing_moves_when_the_identifiers_are_not_what_they_should_be",
    ),
    Case(
        "an XAD-PID has ended in a third one",
        "none",
        "AE 204",
        "ITI TF-2, 3.8.4.2.4",
        "test_who_has_ended_in_a_third_one_takes_no_part",
    ),
    Case(
        "a sender who does not speak for the affinity domain; or its identifiers are assigned here",
        "none",
        "AE 204",
        "ITI TF-2, 3.8.4.1.1",
        "test_a_manager_who_may_not_is_refused",
    ),
    Case(
        "MSH-3 is no OID",
        "sourceId is an OID made of MSH-3 and MSH-4, the same each time",
        "AA, counted",
        "ITI TF-2, 3.64.4.1.2",
        "test_the_source_is_the_manager",
    ),
)
