"""xds find with every stored query against a running server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.xds_cli.running import Running, announcement, environment, running
from tests.xds_cli.test_documents import rows, xds
from xds.ebxml import query as ebxml_query
from xds.ebxml import rim, xml
from xds.metadata.document_entry import DocumentEntry
from xds.vocab.ebrim import ResponseStatus
from xds.vocab.queries import STORED_QUERY_BY_NAME

CONSULT = "11488-4^Consult note^2.16.840.1.113883.6.1"
ALLERGIES = "Allergy_Treatments^Allergy Treatments^1.3.6.1.4.1.21367.2017.3"
CONFIDENTIALITY = "document_entry_confidentiality_code"
SCHEME = "2.16.840.1.113883.5.25"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server") / "data") as one:
        for number in (1, 2):
            assert "MSA|AA" in one.feed(announcement(number))
        yield one


@pytest.fixture(scope="module")
def known(server: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A note in a folder, and an addendum to it: ids by name."""
    file = tmp_path_factory.mktemp("files") / "note.txt"
    file.write_text("a note")
    base = ["submit", str(file), "--patient", "P1", "--json"]
    options = ["--title", "The note", "--author", "^Brandt^Ines", "--class-code", CONSULT]
    options += ["--folder", "new:Allergies", "--folder-code", ALLERGIES]
    (note,) = rows(xds(server, *base, *options))
    (addendum,) = rows(xds(server, *base, "--title", "Addendum", "--append-to", str(note["entry_uuid"])))
    (folder,) = note["folders"]  # type: ignore[misc]  # a list in the JSON
    return {
        "note": str(note["entry_uuid"]),
        "note_unique_id": str(note["unique_id"]),
        "addendum": str(addendum["entry_uuid"]),
        "folder": folder,
        "set": str(note["submission_set"]),
    }


def ask(server: Running, known: dict[str, str], query: str, *options: str) -> list[dict[str, Any]]:
    filled = [option.format(**known) for option in options]
    return rows(xds(server, "find", "--query", query, *filled, "--json"))


QUERIES = {
    "FindDocuments": (["--patient", "P1"], {"DocumentEntry": 2}),
    "FindSubmissionSets": (["--patient", "P1"], {"SubmissionSet": 2}),
    "FindFolders": (["--patient", "P1", "--param", f"$XDSFolderCodeList={ALLERGIES}"], {"Folder": 1}),
    "GetAll": (["--patient", "P1"], {"DocumentEntry": 2, "SubmissionSet": 2, "Folder": 1, "Association": 6}),
    "GetDocuments": (
        ["--param", "$XDSDocumentEntryEntryUUID={note}", "--param", "document_entry_entry_uuid={addendum}"],
        {"DocumentEntry": 2},
    ),
    "GetFolders": (["--param", "XDSFolderEntryUUID={folder}"], {"Folder": 1}),
    "GetAssociations": (["--param", "uuid={note}"], {"Association": 3}),
    "GetDocumentsAndAssociations": (
        ["--param", "document_entry_unique_id={note_unique_id}"],
        {"DocumentEntry": 1, "Association": 3},
    ),
    "GetSubmissionSets": (["--param", "$uuid={note}"], {"SubmissionSet": 1, "Association": 1}),
    "GetSubmissionSetAndContents": (
        ["--param", "submission_set_unique_id={set}"],
        {"SubmissionSet": 1, "DocumentEntry": 1, "Folder": 1, "Association": 4},
    ),
    "GetFolderAndContents": (
        ["--param", "$XDSFolderEntryUUID={folder}"],
        {"Folder": 1, "DocumentEntry": 1, "Association": 1},
    ),
    "GetFoldersForDocument": (["--param", "document_entry_entry_uuid={note}"], {"Folder": 1}),
    "GetRelatedDocuments": (
        ["--param", "document_entry_entry_uuid={note}", "--param", "association_types=APND"],
        {"DocumentEntry": 2, "Association": 1},
    ),
    "FindDocumentsByReferenceId": (["--patient", "P1", "--param", "document_entry_reference_id_list=X%"], {}),
    "FindDocumentsByTitle": (["--patient", "P1", "--param", "document_entry_title=The%"], {"DocumentEntry": 1}),
    "FindDocumentsExclude": (["--patient", "P1"], {"DocumentEntry": 2}),
}


@pytest.mark.parametrize("query", STORED_QUERY_BY_NAME)
def test_every_stored_query_can_be_asked(server: Running, known: dict[str, str], query: str) -> None:
    options, expected = QUERIES[query]
    found = ask(server, known, query, *options)
    counts: dict[str, int] = {}
    for row in found:
        counts[row["object"]] = counts.get(row["object"], 0) + 1
    assert counts == expected


def test_references_are_ids_alone(server: Running, known: dict[str, str]) -> None:
    found = ask(server, known, "GetFolderAndContents", "--param", "folder_entry_uuid={folder}", "--refs")
    assert {row["object"] for row in found} == {"ObjectRef"}
    assert {known["folder"], known["note"]} <= {row["entry_uuid"] for row in found}


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        (["--class-code", CONSULT], {"The note"}),
        (["--param", f"document_entry_class_code={CONSULT}"], {"The note"}),
        (["--author", "%Brandt%"], {"The note"}),
        (["--author", "%Brandt%", "--author", "%Nobody%"], {"The note"}),
        (["--author", "%Nobody%"], set()),
        (["--entry-type", "stable"], {"The note", "Addendum"}),
        (["--entry-type", "on-demand"], set()),
        (["--service-start-from", "2020"], {"The note", "Addendum"}),
        (["--created-to", "2020"], set()),
        (["--param", "confidentiality_code"], None),
        (
            ["--param", f"{CONFIDENTIALITY}=N^^{SCHEME}", "--param", f"{CONFIDENTIALITY}=R^^{SCHEME}"],
            {"The note", "Addendum"},
        ),
        (
            ["--param", f"{CONFIDENTIALITY}=N^^{SCHEME}", "--param", f"{CONFIDENTIALITY}&=R^^{SCHEME}"],
            set(),
        ),
        (["--param", "$XDSDocumentEntryStatus=deprecated"], set()),
    ],
)
def test_options_and_parameters_narrow_what_is_found(
    server: Running, known: dict[str, str], options: list[str], titles: set[str] | None
) -> None:
    if titles is None:
        assert xds(server, "find", "--patient", "P1", *options).returncode == 2
        return
    assert {row["title"] for row in ask(server, known, "FindDocuments", "--patient", "P1", *options)} == titles


def test_tables_show_each_kind_of_object(server: Running, known: dict[str, str]) -> None:
    done = xds(server, "find", "--query", "GetAll", "--patient", "P1")
    shown = done.stdout.decode()
    for words in ("The note", "Allergies", "HasMember", "APND", "sourceId"):
        assert words in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--query", "FindNothing"], "FindDocuments, "),
        (["--query", "GetFolders"], "needs exactly one of folder_entry_uuid"),
        (["--query", "GetFolders", "--patient", "P1"], "--patient: GetFolders has no patient"),
        (["--query", "GetFolders", "--class-code", CONSULT], "--class-code: GetFolders has no such parameter"),
        (["--query", "GetFolders", "--param", "folder=x"], "the parameters of GetFolders are folder_entry_uuid"),
        (["--query", "GetFolders", "--param", "folder_entry_uuid&=a", "--param", "folder_entry_uuid&=b"], "no AND"),
        (["--query", "GetFolders", "--param", "folder_entry_uuid="], "no value"),
        (["--query", "GetFolderAndContents", "--param", "folder_entry_uuid=a"] * 2, "one value"),
        (["--query", "FindFolders"], "needs --patient"),
    ],
)
def test_a_query_that_cannot_be_asked_is_2_and_says_what_to_change(
    server: Running, options: list[str], words: str
) -> None:
    done = xds(server, "find", *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.decode()


def test_a_failure_of_the_registry_is_1(server: Running, tmp_path: Path) -> None:
    done = xds(server, "find", "--query", "GetAll", "--patient", "P1", "--registry", f"{server.http}/nowhere")
    assert done.returncode == 1
    assert not done.stdout


def test_an_answer_with_values_that_cannot_be_read_is_1_and_no_traceback() -> None:
    damaged = DocumentEntry(creation_time="20260101").to_object()
    damaged.slots["creationTime"] = ["yesterday"]
    answer = b"".join(ebxml_query.encode_response(ResponseStatus.SUCCESS, [], [rim.encode(damaged)]))
    envelope = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"' + xml.PREFIXES + b" "
        b'xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>'
        b"<a:Action>urn:ihe:iti:2007:RegistryStoredQueryResponse</a:Action></s:Header><s:Body>"
        + answer
        + b"</s:Body></s:Envelope>"
    )

    class Peer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name http.server looks for
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
            self.send_header("Content-Length", str(len(envelope)))
            self.end_headers()
            self.wfile.write(envelope)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    with HTTPServer(("127.0.0.1", 0), Peer) as peer:
        thread = Thread(target=peer.handle_request)
        thread.start()
        command = [sys.executable, "-m", "xds_cli", "find", "--patient", "P1"]
        url = {"XDS_REGISTRY_URL": f"http://127.0.0.1:{peer.server_port}/"}
        done = subprocess.run(command, env=environment(url), capture_output=True, timeout=60, check=False)
        thread.join()
    assert done.returncode == 1, done.stderr
    assert b"the answer cannot be read" in done.stderr
    assert b"Traceback" not in done.stderr
