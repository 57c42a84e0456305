"""submit, find and get against a running server: what is sent comes back, and a refusal is exit code 1."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xds_cli.running import Running, announcement, environment, running
from xds_cli import reading, samples
from xds_cli.reading import WrongInput


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server") / "data") as one:
        for number in range(1, 9):
            assert "MSA|AA" in one.feed(announcement(number))
        yield one


def xds(server: Running, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    urls = {"XDS_REGISTRY_URL": f"{server.http}/registry", "XDS_REPOSITORY_URL": f"{server.http}/repository"}
    command = [sys.executable, "-m", "xds_cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(urls), capture_output=True, timeout=60, check=False)


def rows(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_was_submitted_is_found_and_comes_back_byte_for_byte(server: Running, tmp_path: Path) -> None:
    files = []
    for number, sample in enumerate(samples.documents()):
        files.append(tmp_path / f"document-{number}")
        files[-1].write_bytes(sample.content)
    sent = rows(xds(server, "submit", *map(str, files), "--patient", "P1", "--language", "zh-CN", "--json"))
    assert [row["mime_type"] for row in sent] == ["text/xml", "application/pdf", "application/octet-stream"]
    found = {row["unique_id"]: row for row in rows(xds(server, "find", "--patient", "P1", "--json"))}
    assert set(found) == {row["unique_id"] for row in sent}
    for row, file in zip(sent, files, strict=True):
        content = file.read_bytes()
        entry = found[row["unique_id"]]
        assert entry["size"] == len(content)
        assert entry["hash"] == hashlib.sha1(content).hexdigest()
        assert entry["language_code"] == "zh-CN"
        assert entry["title"] == ("Discharge summary" if row["mime_type"] == "text/xml" else file.name)
        got = rows(xds(server, "get", str(row["unique_id"]), "-o", str(tmp_path / "back"), "--json"))
        assert (tmp_path / "back").read_bytes() == content
        assert got[0]["hash"] == entry["hash"]
        assert xds(server, "get", str(row["unique_id"]), "--output", "-").stdout == content


def test_codes_title_and_author_are_those_of_the_command_line(server: Running, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    given = [
        "--patient", "P2^^^&1.3.6.1.4.1.21367.13.20.1000&ISO", "--title", "A [note]", "--mime-type", "text/x-note",
        "--class-code", "11488-4^Consult note^2.16.840.1.113883.6.1", "--author", "^Brandt^Ines",
        "--institution", "Hospital A", "--no-mtom",
    ]  # fmt: skip
    rows(xds(server, "submit", str(tmp_path / "note.txt"), *given, "--json"))
    other = "11488-4^^2.16.840.1.113883.6.2"
    assert rows(xds(server, "find", "--patient", "P2", "--class-code", other, "--json")) == []
    for criterion in (
        ("--class-code", "11488-4^^2.16.840.1.113883.6.1"),
        ("--author", "%Brandt%"),
        ("--created-from", "20200101", "--created-to", "2999"),
    ):
        (found,) = rows(xds(server, "find", "--patient", "P2", *criterion, "--json"))
        assert found["title"] == "A [note]"
        assert found["mime_type"] == "text/x-note"
        assert found["class_code"] == "11488-4^Consult note^2.16.840.1.113883.6.1"
    table = xds(server, "find", "--patient", "P2").stdout.decode()
    assert "A [note]" in table


def test_a_replaced_document_is_deprecated(server: Running, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one")
    (tmp_path / "two").write_text("two")
    (old,) = rows(xds(server, "submit", str(tmp_path / "one"), "--patient", "P3", "--json"))
    replace = ["--replace", str(old["entry_uuid"])]
    (new,) = rows(xds(server, "submit", str(tmp_path / "two"), "--patient", "P3", *replace, "--json"))
    found = rows(xds(server, "find", "--patient", "P3", "--status", "all", "--json"))
    assert {row["unique_id"]: row["status"] for row in found} == {
        old["unique_id"]: "Deprecated",
        new["unique_id"]: "Approved",
    }
    assert len(rows(xds(server, "find", "--patient", "P3", "--json"))) == 1
    assert len(rows(xds(server, "find", "--patient", "P3", "--status", "deprecated", "--json"))) == 1


def test_a_document_is_saved_under_its_unique_id_when_no_file_is_named(server: Running, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(samples.documents()[1].content)
    (sent,) = rows(xds(server, "submit", str(tmp_path / "a.pdf"), "--patient", "P4", "--json"))
    assert xds(server, "get", str(sent["unique_id"]), cwd=tmp_path).returncode == 0
    assert (tmp_path / f"{sent['unique_id']}.pdf").read_bytes() == samples.documents()[1].content
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("submit", "{file}", "--patient", "NOBODY"), "XDSUnknownPatientId"),
        (("get", "1.2.3.4"), "XDSDocumentUniqueIdError"),
        (("get", "1.2.3.4", "--repository-unique-id", "1.9.9"), "XDSUnknownRepositoryId"),
        (
            ("submit", "{file}", "--patient", "P5", "--replace", "urn:uuid:00000000-0000-4000-8000-000000000009"),
            "Unres",
        ),
    ],
)
def test_a_refusal_is_1_and_its_codes_are_printed(
    server: Running, arguments: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    done = xds(server, *(each.format(file=tmp_path / "file") for each in arguments), "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert code in done.stderr.decode()
    assert code in json.loads(done.stdout.splitlines()[0])["error"]


def test_a_peer_that_is_not_there_is_1(server: Running) -> None:
    done = xds(server, "find", "--patient", "P1", "--registry", "http://127.0.0.1:9/registry")
    assert done.returncode == 1
    assert b"no answer from http://127.0.0.1:9" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("submit", "no-such-file", "--patient", "P1"), "no such file"),
        (("submit", "{file}", "--patient", "P1^^^A"), "--patient"),
        (("submit", "{file}", "--patient", "P1", "--class-code", "34133-9"), "--class-code"),
        (("submit", "{file}", "--patient", "P1", "--source-id", "abc"), "--source-id"),
        (("submit", "{file}", "{file}", "--patient", "P1", "--replace", "x"), "--replace"),
        (("find", "--patient", "P1", "--status", "aproved"), "--status"),
        (("find", "--patient", "P1", "--created-from", "yesterday"), ""),
        (("find", "--patient", "P1", "--type-code", "x^y"), "--type-code"),
        (("find",), "patient"),
    ],
)
def test_wrong_input_is_2_and_says_what_to_change(
    server: Running, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    done = xds(server, *(each.format(file=tmp_path / "file") for each in arguments))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_2(server: Running, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (sent,) = rows(xds(server, "submit", str(tmp_path / "file"), "--patient", "P6", "--json"))
    done = xds(server, "get", str(sent["unique_id"]), "-o", str(tmp_path / "nowhere" / "x"))
    assert done.returncode == 2
    assert b"--output" in done.stderr


@pytest.mark.parametrize("key", reading.DEFAULT_CODES)
def test_every_default_code_can_be_read(key: str) -> None:
    assert reading.read_code(reading.DEFAULT_CODES[key], "--x").scheme


@pytest.mark.parametrize("key", reading.DEFAULT_CODES)
def test_default_codes_are_in_the_code_table_of_the_conformance_plans(key: str, shared: Path) -> None:
    from xds.metadata.codes import CodeTable

    table = CodeTable.load(shared / "conformance" / "codes.xml")
    names = {
        "class_code": "classCode",
        "type_code": "typeCode",
        "format_code": "formatCode",
        "confidentiality_code": "confidentialityCode",
        "healthcare_facility_type_code": "healthcareFacilityTypeCode",
        "practice_setting_code": "practiceSettingCode",
        "content_type_code": "contentTypeCode",
        "folder_code": "folderCodeList",
    }
    code = reading.read_code(reading.DEFAULT_CODES[key], "--x")
    assert table.allows(names[key], code.code, code.scheme)


@pytest.mark.parametrize("text", ["", "a^b", "^b^c", "a^b^", "a^b^c^d"])
def test_a_code_needs_code_and_scheme(text: str) -> None:
    with pytest.raises(WrongInput):
        reading.read_code(text, "--class-code")
