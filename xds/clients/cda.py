"""DocumentEntry attributes from the header of a CDA document (HL7 CDA R2; the binding is that of IHE PCC TF-2, 4.1.1).

::

    header = metadata_from_cda(Path("discharge.xml").read_bytes())
    entry = header.entry(patient_id=patient_id, class_code=..., format_code=..., ...)

What is missing, has a nullFlavor or cannot stand in metadata is left out, and nothing is made up in its place. What the
affinity domain decides (classCode, formatCode, facility, practice setting) is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final
from uuid import UUID

from lxml import etree

from xds.datatypes.hl7 import CX, HD, XAD, XCN, XON, XPN, CodedString, cx_problem, xcn_problem, xon_problem
from xds.datatypes.ids import is_oid
from xds.datatypes.time import DTM, dtm_number
from xds.ebxml import xml
from xds.errors import MalformedMessage
from xds.metadata.common import Author, Code, SourcePatientInfo
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.rules import values

_NS: Final = "urn:hl7-org:v3"
_ROOT: Final = f"{{{_NS}}}ClinicalDocument"
# a document of one's own disk, with pictures in base64: more than a message may be
_MAX_SIZE: Final = 256 * 2**20
_MAX_NODES: Final = 2_000_000

_SOCIAL_SECURITY: Final = "2.16.840.1.113883.4.1"
_CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
# display names of the HL7 confidentiality codes, which most documents leave out and metadata must have
_CONFIDENTIALITY_NAMES: Final[Mapping[str, str]] = {
    "U": "unrestricted",
    "L": "low",
    "M": "moderate",
    "N": "normal",
    "R": "restricted",
    "V": "very restricted",
}
# AdministrativeGender (HL7 v3) to PID-8 (HL7 table 0001)
_SEX: Final[Mapping[str, str]] = {"M": "M", "F": "F", "UN": "U"}
# EntityNameUse and AddressUse (HL7 v3) to HL7 tables 0200 and 0190
_NAME_TYPES: Final[Mapping[str, str]] = {"L": "L", "P": "N", "A": "S", "ASGN": "A"}
_ADDRESS_TYPES: Final[Mapping[str, str]] = {"H": "H", "HP": "H", "HV": "H", "WP": "B", "TMP": "C", "BAD": "BA"}

# ITI TF-3, 4.2.3.2.27 and 4.2.3.2.29
_MAX_TITLE: Final = 128
_MAX_EXTENSION: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CdaMetadata:
    """What the header of a CDA document says.

    ``patient_ids`` are all identifiers it has for the patient: candidates for patient_id, to be chosen by assigning
    authority (``patient_id_of``). ``attributes`` are those of a DocumentEntry, by name; an attribute the header does
    not have is not in it. Both identify a patient: not for logs.
    """

    patient_ids: tuple[CX, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def patient_id_of(self, authority: str) -> CX | None:
        """The identifier in the domain of the authority with this OID; None without one and with several."""
        found = {one for one in self.patient_ids if one.assigning_authority.universal_id == authority}
        return found.pop() if len(found) == 1 else None

    def entry(self, **attributes: Any) -> DocumentEntry:
        """The DocumentEntry, text/xml; ``attributes`` are further ones and win over those of the header."""
        return DocumentEntry(**{"mime_type": "text/xml", **self.attributes, **attributes})


def looks_like_cda(document: bytes) -> bool:
    """Whether a document claims to be a CDA document, in any encoding, well-formed or not."""
    return _claims(document[: 64 * 1024].replace(b"\0", b"")) is not None


_claims: Final = re.compile(rb"<(?:[\w.-]+:)?ClinicalDocument[\s>]").search


def metadata_from_cda(
    document: bytes, *, class_codes: Mapping[Code, Code] | None = None, time_zone: tzinfo | None = None
) -> CdaMetadata:
    """Read the header of a CDA document.

    ``class_codes`` gives the classCode of a typeCode, as the affinity domain maps them; without it there is none.
    In metadata all times are UTC. ``time_zone`` is where times that do not say their offset were written; without it
    such a time does not say when it was, and only its day is taken.

    Raises MalformedMessage for what is not well-formed or no CDA document, MessageTooLarge above 256 MB.
    """
    root = xml.parse(document, max_size=_MAX_SIZE, max_tags=_MAX_NODES, max_attributes=_MAX_NODES)
    if root.tag != _ROOT:
        raise MalformedMessage("the document is no CDA document: its root is not ClinicalDocument of urn:hl7-org:v3")
    type_code = _code(_first(root, "code"))
    start, stop = _service_times(root, time_zone)
    patient_role = _first(root, "recordTarget/patientRole")
    patient_ids = tuple(_patient_ids(patient_role))
    source_patient_id = next((one for one in patient_ids if _is_source_id(one)), None)
    found = {
        "unique_id": _unique_id(_first(root, "id")),
        "title": _text(_first(root, "title"))[:_MAX_TITLE],
        "type_code": type_code,
        "class_code": (class_codes or {}).get(type_code) if type_code else None,
        "confidentiality_code": _code(_first(root, "confidentialityCode")),
        "creation_time": _time(_first(root, "effectiveTime"), time_zone),
        "service_start_time": start,
        "service_stop_time": stop,
        "language_code": _language(_first(root, "languageCode")),
        "author": tuple(_authors(root)),
        "legal_authenticator": _person(_first(root, "legalAuthenticator/assignedEntity")),
        "source_patient_id": source_patient_id,
        "source_patient_info": _source_patient_info(patient_role, source_patient_id),
    }
    return CdaMetadata(patient_ids=patient_ids, attributes={name: value for name, value in found.items() if value})


# --------------------------------------------------------------------------- elements


def _all(element: etree._Element | None, path: str) -> Iterator[etree._Element]:
    """The elements at a path of HL7 names; none that has a nullFlavor, or is below one that has."""
    name, _, rest = path.partition("/")
    for child in () if element is None else element.iterchildren(f"{{{_NS}}}{name}"):
        if child.get("nullFlavor") is None:
            yield from _all(child, rest) if rest else (child,)


def _first(element: etree._Element | None, path: str) -> etree._Element | None:
    return next(_all(element, path), None)


def _text(element: etree._Element | None) -> str:
    """The text of an element, white space collapsed."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _texts(element: etree._Element, name: str) -> list[str]:
    return [text for one in _all(element, name) if (text := _text(one))]


def _value(element: etree._Element | None, attribute: str) -> str:
    return "" if element is None else (element.get(attribute) or "").strip()


def _uses(element: etree._Element) -> list[str]:
    return _value(element, "use").split()


# --------------------------------------------------------------------------- identifiers


def _oid(root: str) -> str:
    """The OID of an II/@root, which is one or a UUID (ITU-T X.667 gives it a place below 2.25); or nothing."""
    if is_oid(root):
        return root
    if _match_uuid(root) is None:
        return ""
    return f"2.25.{UUID(root).int}"


_match_uuid: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def _unique_id(element: etree._Element | None) -> str:
    """``root`` or ``root^extension`` (ITI TF-3, 4.2.3.2.29)."""
    oid, extension = _oid(_value(element, "root")), _value(element, "extension")
    if not oid or len(extension) > _MAX_EXTENSION or "^" in extension or values.unique_id(extension):
        return ""
    return f"{oid}^{extension}" if extension else oid


def _patient_ids(patient_role: etree._Element | None) -> Iterator[CX]:
    for one in _all(patient_role, "id"):
        root, extension = _value(one, "root"), _value(one, "extension")
        if is_oid(root) and extension:
            found = CX.of(extension, root)
            if cx_problem(str(found)) is None:
                yield found


def _is_source_id(one: CX) -> bool:
    # a social security number is PID-19, which does not belong in metadata (ITI TF-3, 4.2.3.2.26)
    return one.assigning_authority.universal_id != _SOCIAL_SECURITY


# --------------------------------------------------------------------------- codes and times


def _code(element: etree._Element | None) -> Code | None:
    found, scheme = _value(element, "code"), _value(element, "codeSystem")
    if not found or not scheme:
        return None
    known = _CONFIDENTIALITY_NAMES if scheme == _CONFIDENTIALITY else {}
    # the name is required in metadata; without one the code has to do (ITI TF-3, 4.2.3.1.2)
    return Code(found, scheme, _value(element, "displayName") or known.get(found, found))


def _coded_string(element: etree._Element | None) -> CodedString | None:
    found, scheme = _value(element, "code"), _value(element, "codeSystem")
    if found and is_oid(scheme):
        return CodedString.of(found, scheme)
    free = _value(element, "displayName") or _text(_first(element, "originalText"))
    return CodedString(free) if free else None


def _language(element: etree._Element | None) -> str:
    tag = _value(element, "code").replace("_", "-")
    return "" if values.language(tag) else tag


_TIME: Final = re.compile(r"([0-9]{4,14})(?:\.[0-9]+)?(?:([+-])([0-9]{2}):?([0-9]{2})?|(Z))?").fullmatch
_DAY, _HOUR = 8, 10  # digits


def _time(element: etree._Element | None, time_zone: tzinfo | None) -> DTM | None:
    """A TS in UTC, of the precision it has. A day is a day: without an hour it cannot be moved to UTC."""
    match = _TIME(_value(element, "value"))
    if match is None or dtm_number(match[1]) is None:
        return None
    digits, sign, hours, minutes, zulu = match.groups()
    if len(digits) < _HOUR or zulu:
        return DTM(digits)
    if not sign and time_zone is None:
        return DTM(digits[:_DAY])
    try:
        local = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
        zone = datetime.strptime(f"{sign}{hours}{minutes or '00'}", "%z").tzinfo if sign else time_zone
        moved = str(DTM.of(local.replace(tzinfo=zone)))
    except (ValueError, OverflowError):  # an offset of 99 hours; the year 0
        return None
    # an hour that is moved by half an hour begins at a minute
    kept = len(digits) if moved[len(digits) :].strip("0") == "" else max(len(digits), _HOUR + 2)
    return DTM(moved[:kept])


def _service_times(root: etree._Element, time_zone: tzinfo | None) -> tuple[DTM | None, DTM | None]:
    """When what is documented was done: the service event, or the encounter when no event says."""
    for path in ("documentationOf/serviceEvent/effectiveTime", "componentOf/encompassingEncounter/effectiveTime"):
        for one in _all(root, path):
            point = _time(one, time_zone)
            start = _time(_first(one, "low"), time_zone) or point
            stop = _time(_first(one, "high"), time_zone) or point
            if start and stop and start.earliest > stop.latest:
                continue
            if start or stop:
                return start, stop
    return None, None


# --------------------------------------------------------------------------- persons and organizations


def _authors(root: etree._Element) -> Iterator[Author]:
    for one in _all(root, "author"):
        assigned = _first(one, "assignedAuthor")
        person = _person(assigned)
        institutions = list(_institutions(_all(assigned, "representedOrganization")))
        if person is None and not institutions:
            continue  # a role alone is nobody (ITI TF-3, 4.2.3.2.1)
        yield Author(
            person=person,
            institutions=institutions,
            roles=_coded_string(_first(one, "functionCode")) or (),
            specialties=_coded_string(_first(assigned, "code")) or (),
        )


def _person(assigned: etree._Element | None) -> XCN | None:
    """Who an assignedAuthor or assignedEntity is: a person, or else a device, whose name stands as family name."""
    name = _name_parts(_best(list(_all(assigned, "assignedPerson/name"))))
    if not name:
        device = _first(assigned, "assignedAuthoringDevice")
        name = {"family_name": _text(_first(device, "softwareName")) or _text(_first(device, "manufacturerModelName"))}
    for one in _all(assigned, "id"):
        root, extension = _value(one, "root"), _value(one, "extension")
        if extension and is_oid(root):
            name |= {"id": extension, "assigning_authority": HD.oid(root)}
            break
    found = XCN(**name)
    return found if xcn_problem(str(found)) is None else None


def _institutions(organizations: Iterable[etree._Element]) -> Iterator[XON]:
    for one in organizations:
        name = next(iter(_texts(one, "name")), "")
        known = (
            XON(name, extension, HD.oid(root)) if extension else XON(name, root)
            for root, extension in ((_value(i, "root"), _value(i, "extension")) for i in _all(one, "id"))
            if is_oid(root)
        )
        found = next(known, XON(name))
        if xon_problem(str(found)) is None:
            yield found


def _best(names: list[etree._Element]) -> etree._Element | None:
    """The legal name, or the first."""
    return next((one for one in names if "L" in _uses(one)), names[0] if names else None)


def _name_parts(element: etree._Element | None) -> dict[str, Any]:
    """The components of XPN and XCN. A name in one piece stands as family name, as HL7 v2 does it."""
    if element is None:
        return {}
    given = _texts(element, "given")
    found = {
        "family_name": " ".join(_texts(element, "family")),
        "given_name": given[0] if given else "",
        "further_given_names": " ".join(given[1:]),
        "suffix": " ".join(_texts(element, "suffix")),
        "prefix": " ".join(_texts(element, "prefix")),
    }
    if not found["family_name"] and not given:
        found = {"family_name": _text(element)}
    return {name: value for name, value in found.items() if value}


# --------------------------------------------------------------------------- the patient


def _source_patient_info(role: etree._Element | None, source_patient_id: CX | None) -> SourcePatientInfo | None:
    """PID-3, 5, 7, 8 and 11 (ITI TF-3, 4.2.3.2.26)."""
    patient = _first(role, "patient")
    birth = re.match(r"[0-9]+", _value(_first(patient, "birthTime"), "value"))
    date = birth[0][:8] if birth else ""
    found = SourcePatientInfo(
        patient_ids=source_patient_id or (),
        names=[name for one in _all(patient, "name") if (name := _patient_name(one))],
        birth_date=date if dtm_number(date) is not None else None,
        sex=_SEX.get(_value(_first(patient, "administrativeGenderCode"), "code")),
        addresses=[found for one in _all(role, "addr") if (found := _address(one))],
    )
    return found if found.values() else None


def _patient_name(element: etree._Element) -> XPN | None:
    parts = _name_parts(element)
    kind = next((_NAME_TYPES[use] for use in _uses(element) if use in _NAME_TYPES), "")
    return XPN(**parts, name_type_code=kind) if parts else None


def _address(element: etree._Element) -> XAD | None:
    lines = _texts(element, "streetAddressLine")
    if not lines:
        lines = [" ".join(_texts(element, "houseNumber") + _texts(element, "streetName"))]
    parts: dict[str, Any] = {
        "street": lines[0],
        "other_designation": ", ".join(lines[1:]),
        "city": " ".join(_texts(element, "city")),
        "state": " ".join(_texts(element, "state")),
        "zip_code": " ".join(_texts(element, "postalCode")),
        "country": " ".join(_texts(element, "country")),
        "county": " ".join(_texts(element, "county")),
    }
    if not any(parts.values()):
        parts = {"street": _text(element)}  # an address in one piece
    kind = next((_ADDRESS_TYPES[use] for use in _uses(element) if use in _ADDRESS_TYPES), "")
    return XAD(**parts, address_type=kind) if any(parts.values()) else None


__all__ = ["CdaMetadata", "looks_like_cda", "metadata_from_cda"]
