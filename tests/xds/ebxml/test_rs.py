"""SubmitObjectsRequest and RegistryResponse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xds.ebxml import support
from xds.ebxml import rs, xml
from xds.errors import MalformedMessage, RegistryError
from xds.vocab.ebrim import ResponseStatus, Severity
from xds.vocab.errors import ErrorCode

errors = st.lists(
    st.builds(
        RegistryError,
        st.one_of(st.sampled_from(list(ErrorCode)), support.names.filter(lambda code: code not in set(ErrorCode))),
        support.texts.filter(bool),
        support.texts,
        st.sampled_from(list(Severity)),
    ),
    max_size=3,
).map(tuple)


def test_a_submission_is_read_as_it_was_written() -> None:
    submission = support.submission()
    assert rs.decode_submit_objects(support.rooted(rs.encode_submit_objects(submission))) == submission


def test_a_submission_keeps_to_the_schema(shared: Path) -> None:
    support.schema(shared).assertValid(support.rooted(rs.encode_submit_objects(support.submission())))


def test_slots_of_the_request_are_passed_over() -> None:
    element = support.rooted(
        b'<lcm:SubmitObjectsRequest id="1" comment="c"><rs:RequestSlotList><rim:Slot name="x"><rim:ValueList/>'
        b'</rim:Slot></rs:RequestSlotList><rim:RegistryObjectList><rim:Association id="A"/></rim:RegistryObjectList>'
        b"</lcm:SubmitObjectsRequest>"
    )
    assert [o.id for o in rs.decode_submit_objects(element).objects] == ["A"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<lcm:SubmitObjectsRequest/>", "0 RegistryObjectLists"),
        (
            b"<lcm:SubmitObjectsRequest><rim:RegistryObjectList/><rim:RegistryObjectList/></lcm:SubmitObjectsRequest>",
            "2 ",
        ),
        (b"<lcm:SubmitObjectsRequest><rs:RegistryObjectList/></lcm:SubmitObjectsRequest>", "0 RegistryObjectLists"),
        (
            b"<rim:SubmitObjectsRequest><rim:RegistryObjectList/></rim:SubmitObjectsRequest>",
            "no SubmitObjectsRequest",
        ),
        (b"<lcm:RemoveObjectsRequest/>", "no SubmitObjectsRequest"),
    ],
)
def test_what_is_no_submission_is_malformed(body: bytes, message: str) -> None:
    with pytest.raises(MalformedMessage, match=message):
        rs.decode_submit_objects(support.rooted(body))


@given(st.sampled_from(list(ResponseStatus)), errors)
def test_a_response_is_read_as_it_was_written(status: str, found: tuple[RegistryError, ...]) -> None:
    element = support.rooted(rs.encode_registry_response(status, found))
    assert rs.decode_registry_response(element) == (status, found)


@given(st.sampled_from(list(ResponseStatus)), errors)
def test_a_response_keeps_to_the_schema(shared: Path, status: str, found: tuple[RegistryError, ...]) -> None:
    support.schema(shared).assertValid(support.rooted(rs.encode_registry_response(status, found)))


def test_the_error_list_names_its_highest_severity_and_is_absent_without_errors() -> None:
    warning = RegistryError(ErrorCode.EXTRA_METADATA_NOT_SAVED, severity=Severity.WARNING)
    error = RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "P1", "Document01")
    for found, highest in ([warning], Severity.WARNING), ([warning, error], Severity.ERROR):
        (errors_,) = support.rooted(rs.encode_registry_response(ResponseStatus.SUCCESS, found))
        assert errors_.get("highestSeverity") == highest
    assert len(support.rooted(rs.encode_registry_response(ResponseStatus.SUCCESS))) == 0


def test_an_error_gets_out_whatever_is_in_it_and_always_has_a_context() -> None:
    found = (RegistryError(ErrorCode.REGISTRY_ERROR, "a\0b", "\ud800"), RegistryError(ErrorCode.REGISTRY_BUSY))
    _, (first, second) = rs.decode_registry_response(support.rooted(rs.encode_registry_response("urn:x", found)))
    assert (first.context, first.location) == ("a\ufffdb", "\ufffd")
    assert (second.context, second.location) == ("XDSRegistryBusy", "")


def test_what_a_peer_says_is_not_taken_for_better_than_it_is() -> None:
    element = support.rooted(
        b'<rs:RegistryResponse status=" urn:s "><rs:RegistryErrorList>'
        b'<rs:RegistryError errorCode="MyOwn" severity="Warning"/>'
        b'<rs:RegistryError errorCode=" XDSRegistryBusy "/></rs:RegistryErrorList></rs:RegistryResponse>'
    )
    status, (own, busy) = rs.decode_registry_response(element)
    assert status == "urn:s"
    assert (own.code, own.severity) == ("MyOwn", Severity.ERROR)
    assert (busy.code, busy.severity) == (ErrorCode.REGISTRY_BUSY, Severity.ERROR)
    assert isinstance(busy.code, ErrorCode)


@pytest.mark.parametrize(
    "body", [b"<rs:RegistryResponse/>", b'<rs:RegistryResponse status=" "/>', b'<rim:X status="s"/>']
)
def test_what_is_no_response_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        rs.decode_registry_response(support.rooted(body))


@pytest.mark.parametrize("name", ["ITI-41_response_raw.xml"])
def test_the_response_of_another_system_is_read(shared: Path, name: str) -> None:
    capture = (shared / "samples/swiss-epr" / name).read_bytes()
    envelope = capture[capture.index(b"<soap:Envelope") : capture.index(b"</soap:Envelope>") + 16]
    (body,) = xml.parse(envelope).iterfind("{*}Body")
    assert rs.decode_registry_response(body[0]) == (ResponseStatus.SUCCESS, ())
