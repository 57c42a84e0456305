"""What the manager does in odd cases of a feed: the page docs/reference/feeds.md, and a test for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """A situation and what becomes of it; ``answer`` is MSA-1 with ERR-3. ``test`` is in tests/xds/pix."""

    situation: str
    effect: str
    answer: str
    section: str
    test: str


ODD_CASES: Final = (
    Case(
        "A08 or A31 of an unknown patient",
        "the identity is created",
        "AA",
        "ITI TF-2, 3.30.6.3.4",
        "test_who_is_not_known_is_created_whatever_the_event",
    ),
    Case(
        "several identifiers in PID-3",
        "one person's, in as many domains; said once for each pair",
        "AA",
        "ITI TF-2, 3.8.4.1.2.3",
        "test_identifiers_of_one_message_are_one_persons",
    ),
    Case(
        'a field of A01, A04, A05, A08 is empty, or `""`',
        'empty: it stays as it was; `""`: it is deleted',
        "AA",
        "HL7 2.5, 2.10.4",
        "test_an_empty_field_stays_as_it_was_and_a_null_goes",
    ),
    Case(
        "a field of A28 or A31 is empty",
        "it is deleted: the message has the complete set",
        "AA",
        "ITI TF-2, 3.30.6.3.4",
        "test_an_update_of_iti_30_is_the_complete_set",
    ),
    Case(
        "any of these for an identifier that has ended in another",
        "kept for the day it is undone; nobody sees it, nobody gets documents",
        "AA, counted",
        "not said",
        "test_demographics_of_a_retired_identifier_are_kept_and_nobody_sees_it",
    ),
    Case(
        "the same sender, MSH-10 and content again, within `repeat_days`",
        "none",
        "AA, counted",
        "DESIGN D12",
        "test_a_repeat_is_applied_once",
    ),
    Case(
        "the same sender and MSH-10, other content",
        "applied",
        "AA, counted",
        "not said",
        "test_the_same_control_id_with_other_content_is_applied_and_counted",
    ),
    Case(
        "EVN-2 (or MSH-7) is older than what this source said before",
        "identifiers count, demographics do not",
        "AA, counted",
        "not said",
        "test_older_demographics_do_not_overwrite_newer_ones_of_their_source",
    ),
    Case(
        "EVN-2 (or MSH-7) lies far in the future",
        "applied, but orders nothing",
        "AA, counted",
        "not said",
        "test_a_time_far_in_the_future_orders_nothing_and_is_reported",
    ),
    Case(
        "A40, A18, A34 or A36",
        "MRG-1 ends in PID-3, the documents follow in the same transaction",
        "AA",
        "ITI TF-2, 3.8.4.2.3",
        "test_a_merge_retires_one_identifier_and_keeps_the_documents",
    ),
    Case(
        "a merge with an unknown MRG-1",
        "it is retired before it was ever used",
        "AA",
        "ITI TF-2, 3.30.6.4.4",
        "test_an_unknown_subsumed_identifier_is_retired",
    ),
    Case(
        "a merge with an unknown PID-3, `unknown_survivor = create`",
        "it is created, described as the one that ended",
        "AA",
        "ITI TF-2, 3.30.6.4.4",
        "test_an_unknown_survivor_is_created_with_the_demographics_of_who_ended",
    ),
    Case(
        "a merge with an unknown PID-3, `unknown_survivor = refuse`",
        "none",
        "AE 204",
        "ITI TF-2, 3.8.4.2.4",
        "test_an_unknown_survivor_is_refused_where_the_operator_wants_that",
    ),
    Case(
        "a merge of an identifier with itself",
        "none",
        "AE 205",
        "ITI TF-2, 3.8.4.2.4",
        "test_a_merge_with_itself_is_refused",
    ),
    Case(
        "the reverse of an earlier merge, or a longer cycle",
        "none",
        "AE 205",
        "ITI TF-2, 3.8.4.2.4",
        "test_the_reverse_of_an_earlier_merge_and_longer_cycles_are_refused",
    ),
    Case(
        "a merge that was made before",
        "none",
        "AA",
        "DESIGN D12",
        "test_a_merge_said_again_is_acknowledged_and_changes_nothing",
    ),
    Case(
        "a merge in which MRG-1 or PID-3 has ended in a third one",
        "none",
        "AE 204",
        "ITI TF-2, 3.8.4.2.4",
        "test_what_has_ended_in_another_ends_in_nobody_else",
    ),
    Case(
        "a merge of identifiers of two domains",
        "none",
        "AE 204",
        "ITI TF-2, 3.8.4.2.2.4",
        "test_a_merge_of_two_domains_identifiers_is_refused",
    ),
    Case(
        "a merge and a submission for MRG-1 at once",
        "the submission comes before and its document follows, or after and is refused",
        "AA",
        "ITI TF-2, 3.8.4.2.4",
        "test_a_merge_and_a_submission_for_the_subsumed_identifier",
    ),
    Case(
        "A47",
        "the identifier changes, the documents follow",
        "AA",
        "ITI TF-2, 3.30.6.5.4",
        "test_a_changed_identifier_takes_the_documents_along",
    ),
    Case(
        "A47 to an identifier that another patient has",
        "none: a merge was due",
        "AE 205",
        "ITI TF-2, 3.30.6.5.4",
        "test_an_identifier_that_is_taken_is_not_changed_to",
    ),
    Case(
        "A47 of an unknown identifier",
        "none",
        "AA",
        "ITI TF-2, 3.30.6.5.4",
        "test_changing_an_unknown_identifier_does_nothing",
    ),
    Case(
        "A24 of unknown identifiers",
        "the link waits until they are announced",
        "AA",
        "ITI TF-2, 3.30.6.6.4",
        "test_a_link_of_unknown_identifiers_waits_for_them",
    ),
    Case(
        "A37 where there is no link",
        "none",
        "AA",
        "ITI TF-2, 3.30.6.7.4",
        "test_a_link_makes_one_person_of_two_and_its_end_parts_them",
    ),
    Case(
        "A24 with an identifier that has ended in another",
        "none",
        "AE 204",
        "not said",
        "test_a_link_of_somebody_who_has_ended_is_refused",
    ),
    Case(
        "a sender who does not speak for a domain in the message",
        "none, for none of its identifiers",
        "AE 204",
        "ITI TF-2, 3.8.4.1.1",
        "test_a_source_does_not_speak_for_anothers_domain",
    ),
    Case(
        "an identifier of a domain that nobody configured, beside others",
        "it is left out",
        "AA",
        "ITI TF-2, 3.8.4.1.4",
        "test_identifiers_of_unknown_domains_are_left_out_unless_nothing_else_is_there",
    ),
    Case(
        "an identifier without assigning authority",
        "of the one domain that the sender speaks for; else, if it is the only one, of the affinity domain",
        "AA",
        "ITI TF-2, 3.8.4.1.3",
        "test_a_missing_authority_is_that_of_the_source",
    ),
    Case(
        "anything is refused",
        "the whole message is without effect, in the manager and in the registry",
        "AE",
        "DESIGN D12",
        "test_a_refused_feed_leaves_no_trace",
    ),
)
