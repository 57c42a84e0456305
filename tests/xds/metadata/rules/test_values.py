from __future__ import annotations

import pytest

from xds.metadata.rules import values


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.dtm, "2026"),
        (values.sha1, "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        (values.size, "0"),
        (values.language, "zh-Hant-CN"),
        (values.language, "en-us"),
        (values.oid, "1.19.6.24.109.42.1"),
        (values.mime_type, "application/fhir+json"),
        (values.mime_type, 'multipart/related; type="text/xml"'),
        (values.unique_id, "1.2.3^4711"),
        (values.unique_id, "http://example.org/文档 1"),
        (values.availability, "urn:ihe:iti:2010:DocumentAvailability:Offline"),
        (values.source_patient_info, "PID-3|"),
        (values.source_patient_info, "PID-11|100 Main St^^Metropolis"),
        (values.intended_recipient, "Hospital^^^^^^^^^1.2.3|^Wel^Marcus|^^Internet^m@example.org"),
        (values.intended_recipient, "||^^Internet^m@example.org"),
        (values.intended_recipient, "Hospital"),
    ],
)
def test_values_of_the_right_form_have_no_problem(check: values.Check, text: str) -> None:
    assert check(text) is None


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.dtm, "2026-01-01"),
        (values.sha1, "x" * 40),
        (values.size, "1e3"),
        (values.size, "-1"),
        (values.size, "٣"),
        (values.language, "zh_CN"),
        (values.language, "englishlanguage"),
        (values.oid, "urn:oid:1.2"),
        (values.mime_type, "text"),
        (values.mime_type, "text/xml/x"),
        (values.mime_type, "text /xml"),
        (values.unique_id, "1.2\n3"),
        (values.unique_id, " "),
        (values.availability, "Online"),
        (values.source_patient_info, "PV1-3|x"),
        (values.source_patient_info, "PID-3"),
        (values.intended_recipient, "|||"),
        (values.intended_recipient, "a|b|c|d"),
        (values.intended_recipient, "|^^given"),
    ],
)
def test_values_of_another_form_have_one(check: values.Check, text: str) -> None:
    assert check(text)


@pytest.mark.parametrize(
    ("name", "legal"),
    [("urn:example:ward", True), ("URN:att", True), ("urn:", False), ("ward", False), ("urn:a b", False)],
)
def test_an_extra_slot_is_named_by_a_urn(name: str, legal: bool) -> None:
    assert values.is_urn(name) is legal
