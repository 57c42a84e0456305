"""xds submit with relationships, folders and references: what the registry then says about the documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xds_cli.running import Running, announcement, running
from tests.xds_cli.test_documents import rows, xds
from xds.clients.documents import DocumentConsumer, Found
from xds.metadata.association import REFERENCE
from xds.vocab.ebrim import AssociationType, Status
from xds_cli.reading import WrongInput
from xds_cli.relations import Relations
from xds_soap.client import SoapExchange

NOBODY = "urn:uuid:00000000-0000-4000-8000-000000000009"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server") / "data") as one:
        assert "MSA|AA" in one.feed(announcement(1))
        yield one


def submit(server: Running, folder: Path, *options: str) -> dict[str, object]:
    (folder / "note.txt").write_text("a note")
    (row,) = rows(xds(server, "submit", str(folder / "note.txt"), "--patient", "P1", "--json", *options))
    return row


def ask(server: Running, name: str, **parameters: object) -> Found:
    with SoapExchange(f"{server.http}/registry") as exchange:
        return DocumentConsumer(exchange).query(name, **parameters)


@pytest.mark.parametrize("by", ["entry_uuid", "unique_id"])
@pytest.mark.parametrize(
    ("option", "kind", "status"),
    [
        ("--replace", AssociationType.RPLC, Status.DEPRECATED),
        ("--transform-replace", AssociationType.XFRM_RPLC, Status.DEPRECATED),
        ("--append-to", AssociationType.APND, Status.APPROVED),
        ("--transform", AssociationType.XFRM, Status.APPROVED),
        ("--sign", AssociationType.SIGNS, Status.APPROVED),
    ],
)
def test_a_relationship_goes_from_the_new_document_to_the_one_that_was_named(
    server: Running, option: str, kind: AssociationType, status: Status, by: str, tmp_path: Path
) -> None:
    old = submit(server, tmp_path)
    new = submit(server, tmp_path, option, str(old[by]))
    found = ask(server, "GetDocumentsAndAssociations", document_entry_entry_uuid=[old["entry_uuid"]])
    (association,) = [one for one in found.associations if one.association_type == kind]
    assert association.source_object == new["entry_uuid"]
    assert association.target_object == old["entry_uuid"]
    assert found.document_entries[0].availability_status is status


def test_documents_go_into_a_new_folder_and_then_into_the_same_one(server: Running, tmp_path: Path) -> None:
    first = submit(server, tmp_path, "--folder", "new:Pregnancy 2026")
    (folder_id,) = first["folders"]  # type: ignore[misc]  # a list in the JSON
    (folder,) = ask(server, "GetFolders", folder_entry_uuid=[folder_id]).folders
    assert folder.title == "Pregnancy 2026"
    second = submit(server, tmp_path, "--folder", folder_id)
    third = submit(server, tmp_path, "--folder", folder.unique_id)
    assert second["folders"] == third["folders"] == []
    inside = ask(server, "GetFolderAndContents", folder_entry_uuid=folder_id).document_entries
    assert {entry.entry_uuid for entry in inside} == {row["entry_uuid"] for row in (first, second, third)}


def test_a_reference_puts_a_registered_document_into_the_submission_set_too(server: Running, tmp_path: Path) -> None:
    old = submit(server, tmp_path)
    new = submit(server, tmp_path, "--reference", str(old["unique_id"]))
    found = ask(server, "GetSubmissionSetAndContents", submission_set_unique_id=new["submission_set"])
    assert {entry.entry_uuid for entry in found.document_entries} == {old["entry_uuid"], new["entry_uuid"]}
    (reference,) = [one for one in found.associations if one.submission_set_status == REFERENCE]
    assert reference.target_object == old["entry_uuid"]


@pytest.mark.parametrize("option", ["--replace", "--append-to", "--sign", "--reference", "--folder"])
def test_a_unique_id_that_the_registry_does_not_have_is_wrong_input(
    server: Running, option: str, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("a note")
    done = xds(server, "submit", str(tmp_path / "note.txt"), "--patient", "P1", option, "1.2.3.4.5")
    assert done.returncode == 2, done.stderr
    assert f"{option} 1.2.3.4.5: the registry has no " in done.stderr.decode()


@pytest.mark.parametrize("option", ["--append-to", "--transform", "--transform-replace", "--reference", "--folder"])
def test_an_entry_uuid_that_the_registry_does_not_have_is_its_refusal(
    server: Running, option: str, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("a note")
    done = xds(server, "submit", str(tmp_path / "note.txt"), "--patient", "P1", option, NOBODY)
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize(
    ("relations", "count", "words"),
    [
        (Relations(replace="x"), 2, "--replace is for one file"),
        (Relations(transform_replace="x"), 2, "--transform-replace is for one file"),
        (Relations(replace="x", transform_replace="y"), 1, "choose one"),
        (Relations(folders=["new:"]), 1, "new:TITLE"),
        (Relations(folders=[""]), 1, "new:TITLE"),
    ],
)
def test_relations_that_make_no_sense_are_wrong_input(relations: Relations, count: int, words: str) -> None:
    with pytest.raises(WrongInput, match=words):
        relations.check(count)
