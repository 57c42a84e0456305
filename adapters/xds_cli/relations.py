"""What a submission has to do with what is registered already (ITI TF-3, 4.2.2): the relationships, folders and
references that ``xds submit`` was asked for.

What is registered is named by its entryUUID, which is taken as it is, or by its uniqueId, which the registry is asked
for (GetDocuments, GetFolders; ITI TF-2, 3.18.4.1.2.3.7.5 and 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from xds.clients.documents import DocumentConsumer
from xds.metadata.association import Association
from xds.metadata.common import Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.submission import appends, in_folder, replaces, signs, transforms, transforms_and_replaces
from xds.vocab.ebrim import Status
from xds_cli.peer import exchange
from xds_cli.reading import WrongInput

_NEW: Final = "new:"
_Relate = Callable[[DocumentEntry, str], Association]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """The options as they were given: ids of what is registered, for ``folders`` also ``new:TITLE``."""

    replace: str | None = None
    transform_replace: str | None = None
    append_to: Sequence[str] = ()
    transform: Sequence[str] = ()
    sign: Sequence[str] = ()
    folders: Sequence[str] = ()
    references: Sequence[str] = ()

    def check(self, count: int) -> None:
        """Raises WrongInput for what ``count`` documents cannot have."""
        for option, value in (("--replace", self.replace), ("--transform-replace", self.transform_replace)):
            if value and count != 1:
                raise WrongInput(f"{option} is for one file")
        if self.replace and self.transform_replace:
            raise WrongInput("--replace and --transform-replace: choose one of them")
        if any(not folder.removeprefix(_NEW).strip() for folder in self.folders):
            raise WrongInput("--folder: write an id, or new:TITLE")

    def to_documents(self) -> list[tuple[str, _Relate, str]]:
        """For every relationship its option, the function that makes it, and the id of the other document."""
        rows: tuple[tuple[str, _Relate, Sequence[str]], ...] = (
            ("--replace", replaces, (self.replace,) if self.replace else ()),
            (
                "--transform-replace",
                transforms_and_replaces,
                (self.transform_replace,) if self.transform_replace else (),
            ),
            ("--append-to", appends, self.append_to),
            ("--transform", transforms, self.transform),
            ("--sign", signs, self.sign),
        )
        return [(option, make, one) for option, make, ids in rows for one in ids if one]


@dataclass(frozen=True, slots=True)
class Related:
    """What goes into the submission besides the documents."""

    associations: Sequence[Association]
    folders: Sequence[Folder]
    references: Sequence[str]


def relate(
    relations: Relations, entries: Sequence[DocumentEntry], *, folder_code: Code, registry: str, timeout: float
) -> Related:
    """The objects for these relations, each of ``entries`` in every one of them.

    The registry is asked only for what is named by uniqueId. Raises WrongInput for what it does not have, and as
    DocumentConsumer.query.
    """
    with exchange(registry, timeout=timeout) as peer:
        consumer = DocumentConsumer(peer)
        associations = []
        for option, make, one in relations.to_documents():
            other = _document(consumer, one, option)
            associations += [make(entry, other) for entry in entries]
        new = [
            Folder(patient_id=entries[0].patient_id, title=each.removeprefix(_NEW).strip(), code_list=folder_code)
            for each in relations.folders
            if each.startswith(_NEW)
        ]
        ids = [folder.entry_uuid for folder in new]
        ids += [_folder(consumer, each) for each in relations.folders if not each.startswith(_NEW)]
        associations += [in_folder(folder, entry) for folder in ids for entry in entries]
        references = [_document(consumer, one, "--reference") for one in relations.references]
    return Related(associations, new, references)


def _document(consumer: DocumentConsumer, one: str, option: str) -> str:
    if one.startswith("urn:uuid:"):
        return one
    found = consumer.query("GetDocuments", document_entry_unique_id=[one])
    return _only(found.document_entries, f"{option} {one}", "document")


def _folder(consumer: DocumentConsumer, one: str) -> str:
    if one.startswith("urn:uuid:"):
        return one
    return _only(consumer.query("GetFolders", folder_unique_id=[one]).folders, f"--folder {one}", "folder")


def _only(found: Sequence[DocumentEntry] | Sequence[Folder], given: str, what: str) -> str:
    """The entryUUID of what has a uniqueId: the current one, when several versions have it."""
    current = [one for one in found if one.availability_status is Status.APPROVED] or found
    if len(current) != 1:
        many = "several entries; name one by its entryUUID" if current else f"no {what} with this uniqueId"
        raise WrongInput(f"{given}: the registry has {many}")
    return current[0].entry_uuid
