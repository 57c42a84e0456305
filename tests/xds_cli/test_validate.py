"""``xds validate`` tells people in a table, programs in JSON, and shells by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.evidence import messages
from xds_cli.main import app

PATIENT = messages.patient(1)
GOOD = messages.iti41("1.2.3", PATIENT, b"document")
BAD = GOOD.replace(b"zh-CN", b"z h")
COLUMNS = {"file", "code", "object", "attribute", "value", "location", "section", "message", "tolerated"}


def xds(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)], input=stdin, env={"COLUMNS": "250"})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, data in (("good", GOOD), ("bad", BAD), ("noise", b"\x00\xff"), ("query", messages.iti18(PATIENT))):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_clean_files_end_with_0(files: Path) -> None:
    done = xds(files / "good", files / "query")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"{files / 'good'}: clean", f"{files / 'query'}: clean"]


def test_findings_end_with_1_and_are_a_table(files: Path) -> None:
    done = xds(files / "good", files / "bad")
    assert done.exit_code == 1
    assert f"{files / 'bad'}: 1 finding" in done.stdout
    for cell in ("XDSRegistryMetadataError", "DocumentEntry", "languageCode", "z h", "ITI TF-3"):
        assert cell in done.stdout


@pytest.mark.parametrize("name", ["noise", "absent"])
def test_what_cannot_be_read_ends_with_2_and_the_others_are_read(files: Path, name: str) -> None:
    done = xds(files / name, files / "bad")
    assert done.exit_code == 2
    assert f"xds validate: {files / name}: " in done.stderr
    assert "languageCode" in done.stdout


def test_json_is_one_list_of_the_columns(files: Path) -> None:
    done = xds(files / "good", files / "bad", "--json")
    assert done.exit_code == 1
    (found,) = json.loads(done.stdout)
    assert set(found) == COLUMNS
    assert found["file"] == str(files / "bad")
    assert (found["attribute"], found["value"], found["tolerated"]) == ("languageCode", "z h", False)
    assert json.loads(xds(files / "good", "--json").stdout) == []


def test_tolerances_are_shown_and_end_with_0(files: Path) -> None:
    query = files / "query"
    query.write_bytes(messages.iti18(PATIENT).replace(b"<rim:AdhocQuery ", b"<rim:AdhocQuery ").replace(
        b'<rim:Slot name="$XDSDocumentEntryStatus">',
        b'<rim:Slot name="$Own"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList></rim:Slot>'
        b'<rim:Slot name="$XDSDocumentEntryStatus">',
    ))  # fmt: skip
    done = xds(query)
    assert done.exit_code == 0
    assert "1 deviation that a receiver tolerates" in done.stdout
    assert "$Own" in done.stdout
    assert [note["tolerated"] for note in json.loads(xds(query, "--json").stdout)] == [True]


def test_the_profile_decides_what_must_be_there(files: Path) -> None:
    metadata = files / "metadata.xml"
    metadata.write_text(messages.submit_objects("1.2.3", PATIENT), "utf-8")
    assert xds(metadata, "--profile", "provide").exit_code == 0
    assert xds(metadata).exit_code == 1


def test_a_code_table_is_heeded(files: Path) -> None:
    table = files / "codes.toml"
    table.write_text('[[confidentialityCode]]\ncode = "R"\nscheme = "2.16.840.1.113883.5.25"\n', "utf-8")
    done = xds(files / "good", "--codes", table, "--json")
    assert [found["attribute"] for found in json.loads(done.stdout)] == ["confidentialityCode"]


@pytest.mark.parametrize("arguments", [("--profile", "registrar"), ("--codes", "no-such-file")])
def test_wrong_use_ends_with_2(files: Path, arguments: tuple[str, str]) -> None:
    done = xds(files / "good", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("xds validate: ")


def test_standard_input_is_read(files: Path) -> None:
    assert xds("-", stdin=BAD).exit_code == 1
    assert xds("-", stdin=GOOD).exit_code == 0


HL7 = (
    "MSH|^~\\&|HIS|H01|REG|XDS|20260101120000||ADT^A01|C1|P|2.3.1\rEVN|A01|20260101120000\r"
    "PID|||P1^^^&1.3.6.1.4.1.21367.13.20.1000&ISO||Invented^Person||19700101|M\rPV1|1|N\r"
)


def test_hl7_v2_files_are_validated_too(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.hl7", tmp_path / "bad.hl7"
    good.write_text(HL7)
    bad.write_text(HL7 + HL7.replace("PID|", "ZID|") + HL7.replace("19700101", "19700231"))
    assert xds(good).exit_code == 0
    done = xds(bad)
    assert done.exit_code == 1
    assert f"{bad}: 1 finding" in done.stdout
    assert "PID^1" in done.stdout
    assert "that only a strict feed refuses" in done.stdout
    rows = json.loads(xds(bad, "--json").stdout)
    assert [(row["message_number"], row["tolerated"]) for row in rows if "PID" in row["location"]] == [
        ("2", False),
        ("3", True),
    ]
