"""``xds find``: the stored queries of ITI-18 (ITI TF-2, 3.18.4.1.2.3.7), and their results as tables or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from xds.clients.documents import DocumentConsumer, Found
from xds.clients.parameters import keyword, stored_query
from xds.metadata.association import Association
from xds.metadata.common import Author, Code, plain
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.folder import Folder
from xds.metadata.requests import ObjectRef, ReturnType
from xds.metadata.submission_set import SubmissionSet
from xds.vocab.ebrim import AssociationType, DocumentEntryType, Status
from xds.vocab.queries import ASSOCIATION_TYPES, DOCUMENT_ENTRY_TYPE, Kind, Parameter, StoredQuery
from xds_cli.output import print_errors, print_json, print_table, size_text
from xds_cli.peer import exchange
from xds_cli.reading import Refused, WrongInput, explained, flag, read_code, read_patient

_STATUSES: Final = {
    "approved": (Status.APPROVED,),
    "deprecated": (Status.DEPRECATED,),
    "all": (Status.APPROVED, Status.DEPRECATED),
}
_ENTRY_TYPES: Final = {"stable": DocumentEntryType.STABLE.value, "on-demand": DocumentEntryType.ON_DEMAND.value}
# what a value may be written as, beside its URN
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    DOCUMENT_ENTRY_TYPE: _ENTRY_TYPES,
    ASSOCIATION_TYPES: {kind.value.rpartition(":")[2]: kind.value for kind in AssociationType},
}


# --------------------------------------------------------------------------- asking


def find(
    query: str,
    *,
    patient: str | None,
    domain: str,
    status: str,
    criteria: Mapping[str, str | Sequence[str] | None],
    params: Sequence[str],
    refs: bool,
    home: str | None,
    registry: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Run a stored query and print what it finds; raises WrongInput, Refused.

    ``criteria`` are options: attributes of DocumentEntry, each with its texts. ``params`` are ``NAME=VALUE`` with a
    name of the Framework or of Python; they win over options. Several values of a parameter are an OR, and one written
    ``NAME&=VALUE`` begins a further list, for an AND.
    """
    row = _row(query)
    arguments = _from_options(row, criteria)
    arguments.update(_from_params(row, params, domain))
    _complete(row, arguments, patient, domain, status)
    return_type = ReturnType.OBJECT_REF if refs else ReturnType.LEAF_CLASS
    with explained("find", as_json=as_json), exchange(registry, timeout=timeout) as peer:
        try:
            found = DocumentConsumer(peer).query(row, return_type=return_type, home=home, **arguments)
        except (ValueError, TypeError) as error:
            raise WrongInput(str(error)) from None
    with explained("find", as_json=as_json):
        _print(found, refs=refs, as_json=as_json)
    if found.errors:
        partly = any(error.severity.endswith(":Error") for error in found.errors)
        text = "the registry searched only a part of what it has" if partly else "found, with a warning"
        print_errors("find", text, found.errors, as_json=as_json and partly)
        if partly:
            raise Refused


def _row(name: str) -> StoredQuery:
    try:
        return stored_query(name)
    except ValueError as error:
        raise WrongInput(f"--query: {error}") from None


def _from_options(row: StoredQuery, criteria: Mapping[str, str | Sequence[str] | None]) -> dict[str, Any]:
    """Arguments of the query from the options that were given."""
    known = {keyword(parameter): parameter for parameter in row.parameters}
    arguments = {}
    for attribute, value in criteria.items():
        if not value:
            continue
        parameter = known.get(f"document_entry_{attribute}")
        option = flag(attribute)
        if parameter is None:
            raise WrongInput(f"{option}: {row.name} has no such parameter; it has {', '.join(known)}")
        texts = [value] if isinstance(value, str) else value
        read = [_value(parameter, text, option, "") for text in texts]
        arguments[parameter.name] = read if parameter.many else read[0]
    return arguments


def _from_params(row: StoredQuery, params: Sequence[str], domain: str) -> dict[str, Any]:
    """Arguments of the query from NAME=VALUE."""
    known = {keyword(parameter): parameter for parameter in row.parameters}
    known |= {parameter.name.removeprefix("$"): parameter for parameter in row.parameters} | row.by_name
    lists: dict[str, list[list[Any]]] = {}
    for text in params:
        name, equals, value = text.partition("=")
        further = name.endswith("&")
        parameter = known.get(name.removesuffix("&"))
        if not equals or parameter is None:
            names = ", ".join(map(keyword, row.parameters))
            raise WrongInput(f"--param {text!r}: write NAME=VALUE; the parameters of {row.name} are {names}")
        groups = lists.setdefault(parameter.name, [[]])
        if further and groups[-1]:
            groups.append([])
        groups[-1].append(_value(parameter, value, f"--param {name}", domain))
        if len(groups) > 1 and not parameter.repeats:
            raise WrongInput(f"--param {name}: this parameter has no AND")
        if len(groups[0]) > 1 and not parameter.many:
            raise WrongInput(f"--param {name}: this parameter has one value")
    return {name: _argument(row.by_name[name], groups) for name, groups in lists.items()}


def _argument(parameter: Parameter, groups: list[list[Any]]) -> Any:
    if len(groups) > 1:
        return groups
    return groups[0] if parameter.many else groups[0][0]


def _value(parameter: Parameter, text: str, option: str, domain: str) -> Any:
    """A value as the client takes it: codes with or without a name, states, kinds and patients by short names."""
    if not text:
        raise WrongInput(f"{option}: there is no value")
    if parameter.kind is Kind.CODE:
        return read_code(text, option)
    if parameter.kind is Kind.PATIENT_ID:
        return read_patient(text, domain)
    if parameter.kind is Kind.STATUS:
        return next((status for status in Status if status.name.lower() == text.lower()), text)
    return _NAMES.get(parameter.name, {}).get(text, text)


def _complete(row: StoredQuery, arguments: dict[str, Any], patient: str | None, domain: str, status: str) -> None:
    """The patient of --patient, and --status where the query cannot do without one."""
    if status not in _STATUSES:
        raise WrongInput(f"--status {status}: choose one of {', '.join(_STATUSES)}")
    patients = [parameter for parameter in row.parameters if parameter.kind is Kind.PATIENT_ID]
    if patient is not None and not patients:
        raise WrongInput(f"--patient: {row.name} has no patient")
    for parameter in patients:
        if patient is not None:
            arguments.setdefault(parameter.name, read_patient(patient, domain))
        elif parameter.name not in arguments:
            raise WrongInput(f"{row.name} needs --patient")
    for parameter in row.parameters:
        if parameter.kind is Kind.STATUS and parameter.required:
            arguments.setdefault(parameter.name, _STATUSES[status])


# --------------------------------------------------------------------------- printing


def _print(found: Found, *, refs: bool, as_json: bool) -> None:
    """Documents newest first, then folders, submission sets, associations, references."""
    entries = sorted(found.document_entries, key=_created, reverse=True)
    groups: tuple[tuple[Sequence[Any], Callable[[Any], dict[str, Any]], Mapping[str, Callable[[Any], str]]], ...] = (
        (entries, entry_row, _ENTRY_COLUMNS),
        (found.folders, folder_row, _FOLDER_COLUMNS),
        (found.submission_sets, submission_set_row, _SET_COLUMNS),
        (found.associations, association_row, _ASSOCIATION_COLUMNS),
        (found.references, reference_row, _REFERENCE_COLUMNS),
    )
    if as_json:
        for objects, to_row, _ in groups:
            print_json(map(to_row, objects))
        return
    shown = [(objects, columns) for objects, _, columns in groups if objects]
    for objects, columns in shown or [((), _REFERENCE_COLUMNS if refs else _ENTRY_COLUMNS)]:
        print_table(tuple(columns), ([text(one) for text in columns.values()] for one in objects))


def _created(entry: DocumentEntry) -> tuple[int, str]:
    return (entry.creation_time.as_number() if entry.creation_time else 0, entry.entry_uuid)


def _code_name(code: Code | None) -> str:
    return "" if code is None else plain(code.name) or code.code


def _code_text(code: Code | None) -> str | None:
    return None if code is None else f"{code.code}^{plain(code.name) or ''}^{code.scheme}"


def _status_text(found: DocumentEntry | Folder | SubmissionSet | Association) -> str:
    status = found.availability_status
    return status.name.capitalize() if isinstance(status, Status) else str(status or "")


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


_ENTRY_COLUMNS: Final[Mapping[str, Callable[[DocumentEntry], str]]] = {
    "created": lambda entry: str(entry.creation_time or ""),
    "title": lambda entry: plain(entry.title) or "",
    "type": lambda entry: _code_name(entry.type_code),
    "mimeType": lambda entry: entry.mime_type,
    "size": lambda entry: "" if entry.size is None else size_text(entry.size),
    "status": _status_text,
    "uniqueId": lambda entry: entry.unique_id,
}
_FOLDER_COLUMNS: Final[Mapping[str, Callable[[Folder], str]]] = {
    "updated": lambda folder: str(folder.last_update_time or ""),
    "folder": lambda folder: plain(folder.title) or "",
    "codes": lambda folder: ", ".join(map(_code_name, folder.code_list)),
    "status": _status_text,
    "entryUUID": lambda folder: folder.entry_uuid,
}
_SET_COLUMNS: Final[Mapping[str, Callable[[SubmissionSet], str]]] = {
    "submitted": lambda one: str(one.submission_time or ""),
    "submission set": lambda one: plain(one.title) or "",
    "content type": lambda one: _code_name(one.content_type_code),
    "sourceId": lambda one: one.source_id or "",
    "status": _status_text,
    "entryUUID": lambda one: one.entry_uuid,
}
_ASSOCIATION_COLUMNS: Final[Mapping[str, Callable[[Association], str]]] = {
    "association": lambda one: one.association_type.rpartition(":")[2],
    "from": lambda one: one.source_object,
    "to": lambda one: one.target_object,
    "status": _status_text,
}
_REFERENCE_COLUMNS: Final[Mapping[str, Callable[[ObjectRef], str]]] = {
    "id": lambda reference: reference.id,
    "homeCommunityId": lambda reference: reference.home or "",
}


def entry_row(entry: DocumentEntry) -> dict[str, Any]:
    """A DocumentEntry as JSON: the attributes people look for, codes as ``CODE^NAME^SCHEME``."""
    row: dict[str, Any] = {
        "object": "DocumentEntry",
        "unique_id": entry.unique_id,
        "entry_uuid": entry.entry_uuid,
        "repository_unique_id": entry.repository_unique_id,
        "home_community_id": entry.home_community_id,
        "patient_id": str(entry.patient_id),
        "source_patient_id": _text(entry.source_patient_id),
        "title": plain(entry.title),
        "mime_type": entry.mime_type,
        "creation_time": _text(entry.creation_time),
        "service_start_time": _text(entry.service_start_time),
        "service_stop_time": _text(entry.service_stop_time),
        "language_code": entry.language_code,
        "authors": _authors(entry.author),
        "size": entry.size,
        "hash": entry.hash,
        "status": _status_text(entry),
    }
    for key in ("class_code", "type_code", "format_code", "practice_setting_code", "healthcare_facility_type_code"):
        row[key] = _code_text(getattr(entry, key))
    for key in ("confidentiality_code", "event_code_list"):
        row[key] = [_code_text(code) for code in getattr(entry, key)]
    return row


def _authors(authors: Iterable[Author]) -> list[dict[str, Any]]:
    return [
        {"person": _text(author.person), "institutions": [str(one) for one in author.institutions]}
        for author in authors
    ]


def folder_row(folder: Folder) -> dict[str, Any]:
    """A Folder as JSON."""
    return {
        "object": "Folder",
        "unique_id": folder.unique_id,
        "entry_uuid": folder.entry_uuid,
        "home_community_id": folder.home_community_id,
        "patient_id": str(folder.patient_id),
        "title": plain(folder.title),
        "code_list": [_code_text(code) for code in folder.code_list],
        "last_update_time": _text(folder.last_update_time),
        "status": _status_text(folder),
    }


def submission_set_row(one: SubmissionSet) -> dict[str, Any]:
    """A SubmissionSet as JSON."""
    return {
        "object": "SubmissionSet",
        "unique_id": one.unique_id,
        "entry_uuid": one.entry_uuid,
        "home_community_id": one.home_community_id,
        "patient_id": str(one.patient_id),
        "source_id": one.source_id,
        "title": plain(one.title),
        "content_type_code": _code_text(one.content_type_code),
        "submission_time": _text(one.submission_time),
        "authors": _authors(one.author),
        "status": _status_text(one),
    }


def association_row(one: Association) -> dict[str, Any]:
    """An Association as JSON; its type is the last part of the URN."""
    return {
        "object": "Association",
        "entry_uuid": one.entry_uuid,
        "home_community_id": one.home_community_id,
        "type": one.association_type.rpartition(":")[2],
        "source": one.source_object,
        "target": one.target_object,
        "submission_set_status": one.submission_set_status,
        "status": _status_text(one),
    }


def reference_row(reference: ObjectRef) -> dict[str, Any]:
    """An ObjectRef as JSON."""
    return {"object": "ObjectRef", "entry_uuid": reference.id, "home_community_id": reference.home}
