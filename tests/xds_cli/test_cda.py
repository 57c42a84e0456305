"""xds submit of a CDA document: its header fills the metadata, options win."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xds_cli.running import Running, announcement, running
from tests.xds_cli.test_documents import rows, xds

DOMAIN = "1.3.6.1.4.1.21367.13.20.1000"
PATIENT = f"P1^^^&{DOMAIN}&ISO"
HEADER = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <id root="1.2.3.4" extension="D-1"/>
  <code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>
  <title>Summary of Zoë</title>
  <effectiveTime value="20260105003000+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="de-AT"/>
  <recordTarget><patientRole>
    <id root="1.2.3.9" extension="77"/>
    <patient><name><given>Zoë</given><family>Invented</family></name>
      <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19700203"/></patient>
  </patientRole></recordTarget>
  <author><assignedAuthor><id root="1.2.3.5" extension="A1"/>
    <assignedPerson><name><given>Ines</given><family>Brandt</family></name></assignedPerson>
  </assignedAuthor></author>
</ClinicalDocument>"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "data") as one:
        assert "MSA|AA" in one.feed(announcement(1))
        yield one


def test_the_header_fills_what_options_leave_open(server: Running, tmp_path: Path) -> None:
    file = tmp_path / "summary.xml"
    file.write_text(HEADER, encoding="utf-8")
    base = ["submit", str(file), "--patient", "P1", "--json"]
    rows(xds(server, *base))
    rows(xds(server, *base, "--no-cda"))
    file.write_text(HEADER.replace("D-1", "D-2"), encoding="utf-8")
    consult = "11488-4^Consult note^2.16.840.1.113883.6.1"
    rows(xds(server, *base, "--title", "Mine", "--language", "fr-FR", "--type-code", consult, "--author", "^Other"))
    found = {row["title"]: row for row in rows(xds(server, "find", "--patient", "P1", "--json"))}
    assert set(found) == {"Summary of Zoë", "summary.xml", "Mine"}
    header, plain, mine = found["Summary of Zoë"], found["summary.xml"], found["Mine"]
    assert header["unique_id"] == "1.2.3.4^D-1"
    assert header["creation_time"] == mine["creation_time"] == "20260104233000"
    assert header["language_code"] == "de-AT"
    assert header["source_patient_id"] == "77^^^&1.2.3.9&ISO"
    assert plain["language_code"] == "en-US"
    assert plain["authors"] == []
    assert plain["source_patient_id"] == PATIENT
    assert (mine["language_code"], mine["type_code"]) == ("fr-FR", consult)
    assert mine["authors"] == [{"person": "^Other", "institutions": []}]


def test_a_header_names_the_patient_or_another_one_than_the_option(server: Running, tmp_path: Path) -> None:
    file = tmp_path / "summary.xml"
    file.write_text(HEADER, encoding="utf-8")
    done = xds(server, "submit", str(file))
    assert done.returncode == 2
    assert b"--patient is needed" in done.stderr
    file.write_text(HEADER.replace('root="1.2.3.9" extension="77"', f'root="{DOMAIN}" extension="P1"'), "utf-8")
    rows(xds(server, "submit", str(file), "--json"))
    (found,) = rows(xds(server, "find", "--patient", "P1", "--json"))
    assert found["patient_id"] == found["source_patient_id"] == PATIENT
    assert "MSA|AA" in server.feed(announcement(2))
    file.write_text(file.read_text("utf-8").replace("D-1", "D-2"), "utf-8")
    done = xds(server, "submit", str(file), "--patient", "P2", "--json")
    assert done.returncode == 0
    assert b"names another patient" in done.stderr
    assert b"P1" not in done.stderr


def test_a_cda_document_that_cannot_be_read_is_wrong_input_until_it_is_not_to_be_read(
    server: Running, tmp_path: Path
) -> None:
    file = tmp_path / "broken.xml"
    file.write_text(HEADER.replace("</title>", ""), encoding="utf-8")
    done = xds(server, "submit", str(file), "--patient", "P1")
    assert done.returncode == 2
    assert b"--no-cda" in done.stderr
    assert xds(server, "submit", str(file), "--patient", "P1", "--no-cda").returncode == 0
