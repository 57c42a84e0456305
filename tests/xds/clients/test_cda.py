"""What the header of a CDA document says about it. All patients are invented."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.xds_soap.systems import PATIENT, code, entry, platform, submission_set
from xds.clients.cda import looks_like_cda, metadata_from_cda
from xds.clients.documents import DocumentSource
from xds.datatypes.hl7 import CX
from xds.errors import MalformedMessage
from xds.metadata.common import Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.rules import Profile, check
from xds.metadata.submission import build_submission

LOINC = "2.16.840.1.113883.6.1"
DISCHARGE = Code("18842-5", LOINC)

HEADER = """
<realmCode code="CN"/>
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id root="1.2.3.4" extension="D-17"/>
<code code="18842-5" codeSystem="2.16.840.1.113883.6.1" displayName="Discharge summary"/>
<title>Discharge
   summary</title>
<effectiveTime value="20260312101530.25+0130"/>
<confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/>
<languageCode code="zh-CN"/>
<recordTarget><patientRole>
  <id nullFlavor="UNK" root="1.2.3.5" extension="none"/>
  <id root="2.16.840.1.113883.4.1" extension="000-11-2222"/>
  <id root="1.2.3.6" extension="MRN|1"/>
  <id root="1.3.6.1.4.1.21367.13.20.1000" extension="P0000001"/>
  <addr use="HP"><streetAddressLine>1 Example Road</streetAddressLine><streetAddressLine>Floor 2</streetAddressLine>
    <city>Beispielstadt</city><postalCode>12345</postalCode><country>DE</country></addr>
  <addr nullFlavor="NI"/>
  <patient>
    <name use="L"><prefix>Dr.</prefix><given>Mia</given><given>Rose</given><family>Muster&amp;Sohn</family></name>
    <name use="P"><given>Mimi</given></name>
    <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
    <birthTime value="19700102030405+0100"/>
  </patient>
</patientRole></recordTarget>
<author>
  <functionCode code="ATTPHYS" codeSystem="2.16.840.1.113883.5.88"/>
  <assignedAuthor>
    <id root="1.2.3.7" extension="17"/>
    <code code="207R00000X" codeSystem="2.16.840.1.113883.6.101"/>
    <assignedPerson><name><given>Ines</given><family>Brandt</family><suffix>MD</suffix></name></assignedPerson>
    <representedOrganization><id root="1.2.3.8" extension="H1"/><name>Hospital A</name></representedOrganization>
  </assignedAuthor>
</author>
<author><assignedAuthor><id nullFlavor="NA"/>
  <assignedAuthoringDevice><softwareName>Summary Writer</softwareName></assignedAuthoringDevice>
  <representedOrganization><id root="1.2.3.9"/><name>Hospital B</name></representedOrganization>
</assignedAuthor></author>
<legalAuthenticator><time value="20260312"/><signatureCode code="S"/>
  <assignedEntity><id root="1.2.3.7" extension="18"/>
    <assignedPerson><name>Wei Zhang</name></assignedPerson></assignedEntity></legalAuthenticator>
<documentationOf><serviceEvent classCode="PCPR"><effectiveTime>
  <low value="20260301"/><high value="202603121000+0100"/></effectiveTime></serviceEvent></documentationOf>
"""


def cda(header: str = HEADER, prefix: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?><?xml-stylesheet href="CDA.xsl"?>{prefix}'
        f'<ClinicalDocument xmlns="urn:hl7-org:v3">{header}<component/></ClinicalDocument>'
    ).encode()


def said(header: str, **options: Any) -> dict[str, Any]:
    return dict(metadata_from_cda(cda(header), **options).attributes)


def test_a_whole_header_is_read() -> None:
    described = metadata_from_cda(cda()).entry(patient_id=PATIENT)
    assert described.mime_type == "text/xml"
    assert described.unique_id == "1.2.3.4^D-17"
    assert described.title == "Discharge summary"
    assert described.type_code == DISCHARGE
    assert described.type_code is not None
    assert described.type_code.name == "Discharge summary"
    assert described.class_code is None
    (confidentiality,) = described.confidentiality_code
    assert (confidentiality.code, confidentiality.name) == ("R", "restricted")
    assert str(described.creation_time) == "20260312084530"
    assert str(described.service_start_time) == "20260301"
    assert str(described.service_stop_time) == "202603120900"
    assert described.language_code == "zh-CN"
    assert str(described.legal_authenticator) == "18^Wei Zhang^^^^^^^&1.2.3.7&ISO"
    assert str(described.source_patient_id) == r"MRN\F\1^^^&1.2.3.6&ISO"
    assert described.patient_id == CX.parse(PATIENT)


def test_the_patient_is_as_the_source_knows_them_without_the_social_security_number() -> None:
    info = said(HEADER)["source_patient_info"]
    assert info.values() == [
        r"PID-3|MRN\F\1^^^&1.2.3.6&ISO",
        r"PID-5|Muster\T\Sohn^Mia^Rose^^Dr.^^L",
        "PID-5|^Mimi^^^^^N",
        "PID-7|19700102",
        "PID-8|F",
        "PID-11|1 Example Road^Floor 2^Beispielstadt^^12345^DE^H",
    ]


def test_each_author_keeps_its_own_institution_and_role() -> None:
    person, device = said(HEADER)["author"]
    assert str(person.person) == "17^Brandt^Ines^^MD^^^^&1.2.3.7&ISO"
    assert list(map(str, person.institutions)) == ["Hospital A^^^^^&1.2.3.8&ISO^^^^H1"]
    assert list(map(str, person.roles)) == ["ATTPHYS^^^&2.16.840.1.113883.5.88&ISO"]
    assert list(map(str, person.specialties)) == ["207R00000X^^^&2.16.840.1.113883.6.101&ISO"]
    assert str(device.person) == "^Summary Writer"
    assert list(map(str, device.institutions)) == ["Hospital B^^^^^^^^^1.2.3.9"]
    assert device.roles == ()


def test_candidates_for_the_patient_id_are_chosen_by_their_authority() -> None:
    header = metadata_from_cda(cda())
    assert [one.id for one in header.patient_ids] == ["000-11-2222", "MRN|1", "P0000001"]
    assert header.patient_id_of("1.3.6.1.4.1.21367.13.20.1000") == CX.parse(PATIENT)
    assert header.patient_id_of("1.2.3.5") is None
    two = '<id root="1.2.3" extension="1"/><id root="1.2.3" extension="2"/>'
    twice = metadata_from_cda(cda(f"<recordTarget><patientRole>{two}</patientRole></recordTarget>"))
    assert len(twice.patient_ids) == 2
    assert twice.patient_id_of("1.2.3") is None


def test_the_class_code_comes_from_the_mapping_of_the_affinity_domain() -> None:
    summaries = Code("SUM", "1.2.3.99", "Summaries")
    assert said(HEADER, class_codes={DISCHARGE: summaries})["class_code"] is summaries
    assert "class_code" not in said(HEADER, class_codes={Code("34133-9", LOINC): summaries})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026", "2026"),
        ("202603", "202603"),
        ("20260312", "20260312"),
        ("20260312-0500", "20260312"),
        ("2026031210+0100", "2026031209"),
        ("2026031210+0530", "202603120430"),
        ("202603121015-0500", "202603121515"),
        ("20260312231500-0500", "20260313041500"),
        ("2026031210Z", "2026031210"),
        ("20260312101500Z", "20260312101500"),
        ("20260312101500.123+01:00", "20260312091500"),
        ("20260312101500+01", "20260312091500"),
    ],
)
def test_times_are_in_utc_with_the_precision_they_had(value: str, expected: str) -> None:
    assert str(said(f'<effectiveTime value="{value}"/>')["creation_time"]) == expected


def test_a_time_without_offset_was_written_in_the_time_zone_given() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    given = {"time_zone": shanghai}
    assert str(said('<effectiveTime value="20260312001500"/>', **given)["creation_time"]) == "20260311161500"
    assert str(said('<effectiveTime value="20260312001500+0000"/>', **given)["creation_time"]) == "20260312001500"
    assert str(said('<effectiveTime value="20260312"/>', **given)["creation_time"]) == "20260312"


@pytest.mark.parametrize("value", ["2026031223", "202603122315", "20260312231500.5"])
def test_a_time_that_does_not_say_its_offset_is_a_day(value: str) -> None:
    assert str(said(f'<effectiveTime value="{value}"/>')["creation_time"]) == "20260312"


@pytest.mark.parametrize(
    "header",
    [
        "",
        '<effectiveTime value="yesterday"/>',
        '<effectiveTime value="20260230"/>',
        '<effectiveTime value="202603121"/>',
        '<effectiveTime value="20260312101500+9999"/>',
        '<effectiveTime value="00010101000000+0100"/>',
        '<effectiveTime nullFlavor="UNK" value="20260312"/>',
        '<id nullFlavor="NI"/>',
        '<id root="METROCLINIC" extension="1"/>',
        '<id root="1.2.3" extension="12345678901234567"/>',
        '<id root="1.2.3" extension="a^b"/>',
        '<code nullFlavor="UNK"/>',
        '<code code="18842-5"/>',
        "<confidentialityCode><originalText>Test</originalText></confidentialityCode>",
        '<languageCode code="no language"/>',
        "<title>  </title>",
        "<author/>",
        "<author><assignedAuthor/></author>",
        '<author><assignedAuthor><code code="x" codeSystem="1.2.3"/></assignedAuthor></author>',
        "<legalAuthenticator><assignedEntity><assignedPerson><name/></assignedPerson></assignedEntity>"
        "</legalAuthenticator>",
        "<recordTarget/>",
        "<recordTarget><patientRole nullFlavor='MSK'><id root='1.2.3' extension='1'/></patientRole></recordTarget>",
        "<recordTarget><patientRole><id root='1.2.3'/><addr/><patient><name/></patient></patientRole></recordTarget>",
        "<documentationOf><serviceEvent/></documentationOf>",
        "<documentationOf><serviceEvent><effectiveTime><low value='20260302'/><high value='20260301'/>"
        "</effectiveTime></serviceEvent></documentationOf>",
    ],
)
def test_what_is_missing_or_cannot_stand_in_metadata_is_left_out(header: str) -> None:
    assert said(header) == {}


def test_a_uuid_as_id_has_its_place_below_2_25() -> None:
    header = '<id root="0000000A-0000-0000-0000-000000000001"/>'
    assert said(header)["unique_id"] == f"2.25.{(10 << 96) + 1}"


def test_the_encounter_says_when_if_no_service_event_does() -> None:
    encounter = (
        '<componentOf><encompassingEncounter><effectiveTime value="20260301"/></encompassingEncounter></componentOf>'
    )
    found = said(encounter)
    assert (str(found["service_start_time"]), str(found["service_stop_time"])) == ("20260301", "20260301")
    assert str(said(HEADER + encounter)["service_stop_time"]) == "202603120900"


def test_explicit_attributes_win() -> None:
    described = metadata_from_cda(cda()).entry(title="Other", unique_id="1.9", mime_type="application/xml")
    assert (described.title, described.unique_id, described.mime_type) == ("Other", "1.9", "application/xml")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"hello",
        b"<ClinicalDocument/>",
        b"<a xmlns='urn:hl7-org:v3'/>",
        cda()[:-30],
        cda(prefix="<!DOCTYPE ClinicalDocument>"),
    ],
)
def test_what_is_no_cda_document_is_said_without_its_content(document: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        metadata_from_cda(document)
    assert "Muster" not in str(caught.value)


def test_what_claims_to_be_cda_is_seen_in_any_encoding() -> None:
    assert looks_like_cda(cda()[:-30])
    assert looks_like_cda(cda().decode().encode("utf-16"))
    assert looks_like_cda(b"<cda:ClinicalDocument xmlns:cda='urn:hl7-org:v3'/>")
    assert not looks_like_cda(b"<xsl:template match='ClinicalDocument'/>")
    assert not looks_like_cda(b"%PDF-1.7")


def test_a_document_is_submitted_with_what_its_header_says(tmp_path: Path) -> None:
    file = tmp_path / "discharge.xml"
    file.write_bytes(cda())
    given: dict[str, Any] = {
        name: code(name)
        for name in ("class_code", "format_code", "healthcare_facility_type_code", "practice_setting_code")
    }
    with platform(tmp_path) as system:
        described = DocumentSource.describe_cda(file, patient_id=PATIENT, **given)
        system.source.submit(submission_set(), [described])
        (found,) = system.consumer.find_documents(PATIENT, author_person="%Brandt%")
        assert found.unique_id == "1.2.3.4^D-17"
        assert found.source_patient_info == described[0].source_patient_info
        assert system.consumer.retrieve(found).read() == cda()


@pytest.mark.parametrize("name", ["CCDA_Ambulatory.xml", "CCDA_Inpatient.xml", "C32_Sample1.xml", "C32_Sample2.xml"])
def test_the_headers_of_documents_of_other_systems_give_metadata_that_keeps_the_rules(shared: Path, name: str) -> None:
    path = shared / "samples" / "documents" / name
    if not path.is_file():
        pytest.skip("no samples of documents")
    header = metadata_from_cda(path.read_bytes())
    assert {"unique_id", "title", "type_code", "creation_time", "author", "source_patient_info"} <= set(
        header.attributes
    )
    # what the header does not have comes from a complete entry; what it has must not be worse
    complete = entry()
    rest = {
        name: getattr(complete, name)
        for name in (field.name for field in fields(DocumentEntry))
        if name not in header.attributes
    }
    described = header.entry(**rest)
    assert check(build_submission(submission_set(), described), profile=Profile.PROVIDE) == []
