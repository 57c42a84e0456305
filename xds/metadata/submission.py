"""Putting a submission together (ITI TF-3, 4.2.1.4): the Associations that it needs are added.

::

    submission = build_submission(submission_set, [entry], associations=[replaces(entry, old_entry_uuid)])

In all functions an object may be given as the typed value or as its entryUUID; one that is not in the submission must
be registered already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from xds.metadata.association import ORIGINAL, REFERENCE, Association
from xds.metadata.common import Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.registry_object import Submission
from xds.metadata.submission_set import SubmissionSet
from xds.vocab.ebrim import AssociationType

Entry = DocumentEntry | str
T = TypeVar("T")


def build_submission(
    submission_set: SubmissionSet,
    document_entries: DocumentEntry | Iterable[DocumentEntry] = (),
    folders: Folder | Iterable[Folder] = (),
    associations: Association | Iterable[Association] = (),
    *,
    references: Entry | Iterable[Entry] = (),
) -> Submission:
    """The submission of these objects, with the HasMember Associations that make them one.

    Added are: SubmissionSet to each DocumentEntry (Original) and to each of ``references``, registered entries that
    are to belong to this SubmissionSet too (Reference); SubmissionSet to each Folder; SubmissionSet to each
    Folder membership among ``associations`` (see ``in_folder``). What ``associations`` already has is not added again.
    """
    entries = _list(DocumentEntry, document_entries)
    new_folders = _list(Folder, folders)
    given = _list(Association, associations)
    referred = [references] if isinstance(references, (DocumentEntry, str)) else list(references)
    set_id = submission_set.entry_uuid
    linked = {a.target_object for a in given if a.is_member and a.source_object == set_id}
    added = [_member(set_id, entry.entry_uuid, ORIGINAL) for entry in entries if entry.entry_uuid not in linked]
    added += [_member(set_id, _id(entry), REFERENCE) for entry in referred if _id(entry) not in linked]
    added += [_member(set_id, folder.entry_uuid) for folder in new_folders if folder.entry_uuid not in linked]
    added += [
        _member(set_id, a.entry_uuid)
        for a in given
        if a.is_member and a.source_object != set_id and a.entry_uuid not in linked
    ]
    objects = [submission_set.to_object(), *(entry.to_object() for entry in entries)]
    objects += [folder.to_object() for folder in new_folders]
    objects += [association.to_object() for association in (*given, *added)]
    return Submission(objects)


def in_folder(folder: Folder | str, entry: Entry) -> Association:
    """A DocumentEntry is in a Folder."""
    return _member(_id(folder), _id(entry))


def replaces(new: Entry, old: Entry, *, documentation: Code | None = None) -> Association:
    """``new`` takes the place of ``old``, which becomes Deprecated (RPLC)."""
    return _relationship(AssociationType.RPLC, new, old, documentation)


def appends(addendum: Entry, original: Entry, *, documentation: Code | None = None) -> Association:
    """``addendum`` adds to ``original`` (APND)."""
    return _relationship(AssociationType.APND, addendum, original, documentation)


def transforms(transformation: Entry, original: Entry, *, documentation: Code | None = None) -> Association:
    """``transformation`` is ``original`` in another form (XFRM)."""
    return _relationship(AssociationType.XFRM, transformation, original, documentation)


def transforms_and_replaces(new: Entry, old: Entry, *, documentation: Code | None = None) -> Association:
    """``new`` is ``old`` in another form and takes its place (XFRM_RPLC)."""
    return _relationship(AssociationType.XFRM_RPLC, new, old, documentation)


def signs(signature: Entry, document: Entry) -> Association:
    """``signature`` is a signature over ``document``."""
    return _relationship(AssociationType.SIGNS, signature, document, None)


def snapshot_of(stable: Entry, on_demand: Entry) -> Association:
    """``stable`` is what ``on_demand`` gave at some moment (IsSnapshotOf)."""
    return _relationship(AssociationType.IS_SNAPSHOT_OF, stable, on_demand, None)


def _member(source: str, target: str, status: str | None = None) -> Association:
    return Association(
        association_type=AssociationType.HAS_MEMBER.value,
        source_object=source,
        target_object=target,
        submission_set_status=status,
    )


def _relationship(kind: AssociationType, source: Entry, target: Entry, documentation: Code | None) -> Association:
    return Association(
        association_type=kind.value,
        source_object=_id(source),
        target_object=_id(target),
        documentation=documentation,
    )


def _id(value: DocumentEntry | Folder | str) -> str:
    return value if isinstance(value, str) else value.entry_uuid


def _list(kind: type[T], value: T | Iterable[T]) -> list[T]:
    return [value] if isinstance(value, kind) else list(value)  # type: ignore[arg-type]  # not one, so several
