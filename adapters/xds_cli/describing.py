"""What ``xds submit`` says about its files: by its options, by the header of a CDA document, by what fits most."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from xds.clients.cda import CdaMetadata, looks_like_cda, metadata_from_cda
from xds.datatypes.hl7 import CX
from xds.datatypes.ids import is_oid
from xds.errors import MalformedMessage
from xds.metadata.common import Author, Code
from xds.metadata.document_entry import DocumentEntry
from xds_cli.mime import guess_mime_type
from xds_cli.reading import DEFAULT_CODES, WrongInput, flag, read_code, read_patient

# OID of the submitting system when none is given: this program is one
DEFAULT_SOURCE_ID: Final = "1.3.6.1.4.1.21367.2026.2.1"
_DEFAULT_LANGUAGE: Final = "en-US"
# of the submission set and of folders
_NOT_OF_DOCUMENTS: Final = frozenset(("content_type_code", "folder_code"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The options of ``xds submit`` about the documents; None and a missing code are for what nobody said.

    ``domain`` is the assigning authority by which the patient is found in headers; without ``cda`` none is read.
    """

    patient: CX | None
    domain: str
    codes: Mapping[str, Code]
    title: str | None
    mime_type: str | None
    language: str | None
    author: str | None
    institution: str | None
    source_id: str
    cda: bool

    def code(self, attribute: str) -> Code:
        """The code of an attribute, or the general one."""
        return self.codes.get(attribute) or read_code(DEFAULT_CODES[attribute], flag(attribute))


def describe(
    *, patient: str | None, domain: str, codes: Mapping[str, str | None], source_id: str | None, **rest: Any
) -> Described:
    """Read the options; raises WrongInput."""
    read = {key: read_code(text, flag(key)) for key, text in codes.items() if text}
    source = source_id or DEFAULT_SOURCE_ID
    if not is_oid(source):
        raise WrongInput(f"--source-id {source!r} is no OID")
    known = read_patient(patient, domain) if patient else None
    return Described(patient=known, domain=domain, codes=read, source_id=source, **rest)


def described_files(files: Sequence[Path], described: Described) -> tuple[CX, list[tuple[DocumentEntry, Path]]]:
    """The patient, and each file with its DocumentEntry; raises WrongInput."""
    headers = [_header(path) if described.cda else None for path in files]
    patient = described.patient or _patient(headers, described.domain)
    for path, header in zip(files, headers, strict=True):
        _warn(path, header, patient)
    return patient, [
        (_entry(path, header, patient, described), path) for path, header in zip(files, headers, strict=True)
    ]


def _header(path: Path) -> CdaMetadata | None:
    """What a CDA document says about itself; None for every other file."""
    with path.open("rb") as file:
        if not looks_like_cda(file.read(64 * 1024)):
            return None
    try:
        return metadata_from_cda(path.read_bytes())
    except MalformedMessage as error:
        raise WrongInput(f"{path}: {error}; --no-cda submits it without reading it") from None


def _patient(headers: Sequence[CdaMetadata | None], domain: str) -> CX:
    """The patient whom all headers name: of one submission there is one (ITI TF-3, 4.1.4)."""
    named = {header.patient_id_of(domain) if header else None for header in headers}
    patient = named.pop() if len(named) == 1 else None
    if patient is None:
        raise WrongInput("--patient is needed: the files do not all name one patient of the domain")
    return patient


def _warn(path: Path, header: CdaMetadata | None, patient: CX) -> None:
    """A document in the wrong record is a danger; the option wins all the same, without the identifiers being shown."""
    authority = patient.assigning_authority
    others = [one.id for one in header.patient_ids if one.assigning_authority == authority] if header else []
    if others and patient.id not in others:
        print(f"xds submit: {path} names another patient of this domain than --patient", file=sys.stderr)


def _entry(path: Path, header: CdaMetadata | None, patient: CX, described: Described) -> DocumentEntry:
    general: dict[str, Any] = {key: described.code(key) for key in DEFAULT_CODES if key not in _NOT_OF_DOCUMENTS}
    general |= {
        "source_patient_id": patient,
        "mime_type": guess_mime_type(path),
        "creation_time": datetime.fromtimestamp(path.stat().st_mtime, UTC),
        "language_code": _DEFAULT_LANGUAGE,
        "title": path.name,
    }
    author = Author(person=described.author, institutions=described.institution or ())
    options: dict[str, Any] = {key: code for key, code in described.codes.items() if key not in _NOT_OF_DOCUMENTS}
    options |= {
        "title": described.title,
        "mime_type": described.mime_type,
        "language_code": described.language,
        "author": author if described.author or described.institution else None,
    }
    given = {name: value for name, value in options.items() if value}
    return DocumentEntry(**{**general, **(header.attributes if header else {}), **given, "patient_id": patient})
