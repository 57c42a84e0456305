"""The segments of the PIX family as values: MSH, EVN, PID, MRG (ITI TF-2 3.8.4.1.2, 3.30.5, C.2.2).

MSH is read into a :class:`Header` whose texts stay escaped, because an acknowledgement gives them back byte for byte.
The others are read into the values of ``xds.patients`` and written from them; each direction walks the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from xds.datatypes.hl7 import CX, HD, NOBODY, XAD, XCN, XPN, XTN, escape, unescape
from xds.hl7v2.er7 import NULL, Content, Field, Message, Repetition, Segment, declared_charset, segment
from xds.hl7v2.errors import MalformedHl7
from xds.hl7v2.escapes import STANDARD, Delimiters, delimiters
from xds.patients.demographics import Demographics
from xds.patients.visit import Visit
from xds.vocab.hl7 import codec_of

# --------------------------------------------------------------------------- MSH


_EMPTY: Final = [""] * 19


class Header(NamedTuple):
    """The fields of MSH, still escaped, with the delimiters they were written with."""

    sending_application: str = ""  # MSH-3
    sending_facility: str = ""  # MSH-4
    receiving_application: str = ""  # MSH-5
    receiving_facility: str = ""  # MSH-6
    message_type: str = ""  # MSH-9.1
    trigger: str = ""  # MSH-9.2
    control_id: str = ""  # MSH-10
    processing_id: str = ""  # MSH-11
    version: str = ""  # MSH-12, first component
    accept_acknowledgement: str = ""  # MSH-15
    application_acknowledgement: str = ""  # MSH-16
    character_set: str = ""  # MSH-18
    delimiters: Delimiters = STANDARD
    codec: str = "utf-8"


def read_header(message: Message) -> Header:
    """The MSH of a message. In versions before 2.3 the trigger may stand in EVN-1 only."""
    d = message.delimiters
    fields = message.lines[0].split(d.field, 19)
    fields += _EMPTY[len(fields) :]
    kind, _, rest = fields[8].partition(d.component)
    trigger = rest.partition(d.component)[0].strip()
    if not trigger and "EVN" in message:
        trigger = message["EVN"].raw(1).strip()
    return Header(
        fields[2],
        fields[3],
        fields[4],
        fields[5],
        kind.strip(),
        trigger,
        fields[9],
        fields[10],
        fields[11].partition(d.component)[0].strip(),
        fields[14].strip(),
        fields[15].strip(),
        fields[17],
        d,
        message.charset,
    )


def salvage_header(data: bytes) -> Header:
    """What can be made out of the MSH of bytes that are no readable message; empty when that is nothing.

    Read as Latin-1, so that what goes into the answer is what came; bytes that are not in the character set it declares
    become question marks, or the answer could not be read either.
    """
    start = data.find(b"MSH")
    if not 0 <= start <= 64:
        return Header()
    line = data[start : start + 4096].replace(b"\n", b"\r").partition(b"\r")[0].decode("latin-1")
    if not line.isascii() and not _is_readable(line):
        line = "".join(character if character.isascii() else "?" for character in line)
    cut = line.find(line[3:4], 4) if len(line) > 3 else -1
    try:
        d = delimiters(line[3:4], line[4 : cut if cut > 0 else len(line)])
    except MalformedHl7:
        return Header()
    return read_header(Message([line], d, "latin-1"))


def _is_readable(line: str) -> bool:
    """Whether the bytes of an MSH, read as Latin-1, are in the character set that its field 18 declares, and none of
    its separators is the second byte of a character there.
    """
    data, separator = line.encode("latin-1"), line[3:4]
    try:
        decoded = data.decode(codec_of(declared_charset(data, separator)) or "ascii")
    except UnicodeDecodeError:
        return False
    return decoded.count(separator) == line.count(separator)


# --------------------------------------------------------------------------- data types


def read_cx(repetition: Repetition) -> CX:
    """CX: an identifier with its assigning authority (ITI TF-2 E)."""
    identifier, digit, scheme, _, kind, _ = repetition.texts(6)
    components = repetition.components
    size = len(components)
    authority = _authority(components[3], repetition) if size > 3 else NOBODY
    facility = _authority(components[5], repetition) if size > 5 else NOBODY
    return CX(identifier.strip(), authority, kind, digit, scheme, facility)


def _authority(component: str, repetition: Repetition) -> HD:
    """HD as a component: the names are subcomponents."""
    d = repetition.delimiters
    return _hd(component, d.subcomponent, d, repetition.charset) if component else NOBODY


def read_hd(field: Repetition) -> HD:
    """HD as a field of its own: MSH-3 to MSH-6, PID-34."""
    d = field.delimiters
    return _hd(field.raw, d.component, d, field.charset) if field else NOBODY


@lru_cache(1024)
def _hd(raw: str, separator: str, d: Delimiters, charset: str) -> HD:
    """Systems and authorities are few and come with every message."""
    parts = (raw.split(separator) if separator else [raw])[:3]
    parts += _EMPTY[: 3 - len(parts)]
    namespace, universal_id, kind = (d.unescape_text(part, charset).strip() for part in parts)
    return HD(namespace, universal_id, kind) if namespace or universal_id or kind else NOBODY


def cx_content(value: CX) -> Content:
    """CX as content of a field."""
    return (
        value.id,
        value.check_digit,
        value.check_digit_scheme,
        hd_content(value.assigning_authority),
        value.identifier_type_code,
        hd_content(value.assigning_facility),
    )


def hd_content(value: HD) -> tuple[str, str, str]:
    """HD as content of a component, or of a field of its own."""
    return value.namespace_id, value.universal_id, value.universal_id_type


def _further(repetition: Repetition, component: int = 1) -> tuple[str, ...]:
    """The subcomponents after the first: the parts of a family name or a street; no empty ones at the end."""
    subcomponent = repetition.delimiters.subcomponent
    if not subcomponent or subcomponent not in repetition.raw:
        return ()
    parts = repetition.subcomponents(component)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return tuple(parts[1:])


def _read_name(repetition: Repetition) -> XPN:
    family, given, further, suffix, prefix, degree, kind, representation = repetition.texts(8)
    parts = _further(repetition)
    return XPN(family, given, further, suffix, prefix, degree, kind, representation, parts)


def _name_content(value: XPN) -> Content:
    return (
        (value.family_name, *value.family_name_parts),
        value.given_name,
        value.further_given_names,
        value.suffix,
        value.prefix,
        value.degree,
        value.name_type_code,
        value.name_representation_code,
    )


def _read_address(repetition: Repetition) -> XAD:
    street, other, city, state, zip_code, country, kind, designation, county = repetition.texts(9)
    parts = _further(repetition)
    return XAD(street, other, city, state, zip_code, country, kind, designation, county, parts)


def _address_content(value: XAD) -> Content:
    return (
        (value.street, *value.street_parts),
        value.other_designation,
        value.city,
        value.state,
        value.zip_code,
        value.country,
        value.address_type,
        value.other_geographic_designation,
        value.county,
    )


def _read_phone(repetition: Repetition) -> XTN:
    formatted, use, equipment, email, country, area, number, extension, text = repetition.texts(9)
    return XTN(number, use, equipment, email, country, area, extension, text, formatted)


def _phone_content(value: XTN) -> Content:
    return (
        value.formatted,
        value.use_code,
        value.equipment_type,
        value.email,
        value.country_code,
        value.area_code,
        value.number,
        value.extension,
        value.text,
    )


def _read_person(repetition: Repetition) -> XCN:
    identifier, family, given, further, suffix, prefix, degree, table, _ = repetition.texts(9)
    components = repetition.components
    authority = _authority(components[8], repetition) if len(components) > 8 else NOBODY
    parts = _further(repetition, 2)
    return XCN(identifier, family, given, further, suffix, prefix, degree, authority, table, parts)


def _person_content(value: XCN) -> Content:
    return (
        value.id,
        (value.family_name, *value.family_name_parts),
        value.given_name,
        value.further_given_names,
        value.suffix,
        value.prefix,
        value.degree,
        value.source_table,
        hd_content(value.assigning_authority),
    )


# --------------------------------------------------------------------------- PID and MRG

_Reader = Callable[[Field], Any]
_Writer = Callable[[Any], "Content | None"]


def _every(
    read: Callable[[Repetition], Any], content: Callable[[Any], Content], nothing: Any
) -> tuple[_Reader, _Writer]:
    """Reader and writer of a repeating field; a repetition that says ``nothing`` is left out."""

    def read_all(field: Field) -> tuple[Any, ...]:
        values = [read(repetition) for repetition in field.repetitions if repetition.raw]
        return tuple([value for value in values if value != nothing])

    def write_all(values: Sequence[Any]) -> Content:
        return [content(value) for value in values]

    return read_all, write_all


def _same(value: str) -> Content:
    return value


def _component_1(field: Repetition) -> str:
    return field[1].strip()


_TEXT: Final = (_component_1, _same)
_TEXTS: Final = _every(_component_1, _same, "")
_CX: Final = (read_cx, cx_content)
_CXS: Final = _every(read_cx, cx_content, CX())
_XPNS: Final = _every(_read_name, _name_content, XPN())
_XADS: Final = _every(_read_address, _address_content, XAD())
_XTNS: Final = _every(_read_phone, _phone_content, XTN())
_HD: Final = (read_hd, hd_content)

# PID: number of the field → attribute of Demographics, reader, writer (HL7 v2.5 3.4.2, ITI TF-2 3.8.4.1.2.3, 3.30.5.3)
_PID: Final[dict[int, tuple[str, Any, Any]]] = {
    5: ("names", *_XPNS),
    6: ("mothers_maiden_names", *_XPNS),
    7: ("birth_time", *_TEXT),
    8: ("sex", *_TEXT),
    9: ("aliases", *_XPNS),
    11: ("addresses", *_XADS),
    13: ("home_phones", *_XTNS),
    14: ("business_phones", *_XTNS),
    15: ("primary_language", *_TEXT),
    16: ("marital_status", *_TEXT),
    18: ("account_number", *_CX),
    19: ("ssn", *_TEXT),
    20: ("drivers_license", *_TEXT),
    21: ("mothers_identifiers", *_CXS),
    22: ("ethnic_group", *_TEXT),
    23: ("birth_place", *_TEXT),
    24: ("multiple_birth", *_TEXT),
    25: ("birth_order", *_TEXT),
    28: ("nationality", *_TEXT),
    29: ("death_time", *_TEXT),
    30: ("deceased", *_TEXT),
    31: ("identity_unknown", *_TEXT),
    32: ("identity_reliability", *_TEXTS),
    33: ("last_update_time", *_TEXT),
    34: ("last_update_facility", *_HD),
}
_LAST_PID: Final = max(_PID)
_NOTHING_SAID: Final = Demographics()


def read_identifiers(field: Field) -> tuple[CX, ...]:
    """The identifiers of PID-3 or MRG-1 that have an id; those that are empty or null say nothing."""
    found = [read_cx(repetition) for repetition in field.repetitions if repetition.raw]
    return tuple(identifier for identifier in found if identifier.id and identifier.id != NULL)


def together(identifiers: Iterable[CX]) -> list[CX]:
    """The same identifiers, those of a domain next to each other (ITI TF-2 3.9.4.2.2.5, 3.10.4.1.2)."""
    domains: dict[HD, list[CX]] = {}
    for identifier in identifiers:
        domains.setdefault(identifier.assigning_authority, []).append(identifier)
    return [identifier for found in domains.values() for identifier in found]


def _attributes(
    segment: Segment, fields: Mapping[int, tuple[str, Any, Any]], first: int, last: int
) -> tuple[dict[str, Any], list[str]]:
    """The attributes that a segment's fields have values for, and those that were sent as ``""``."""
    values: dict[str, Any] = {}
    deleted: list[str] = []
    for number in range(first, min(len(segment), last) + 1):
        raw = segment.raw(number)
        if not raw or number not in fields:
            continue
        attribute, read, _ = fields[number]
        if raw == NULL:
            deleted.append(attribute)
        else:
            values[attribute] = segment.text(number) if read is _component_1 else read(segment[number])
    return values, deleted


def read_demographics(pid: Segment) -> Demographics:
    """What PID says about the person. A field sent as ``""`` is named in ``deleted``."""
    values, deleted = _attributes(pid, _PID, 5, _LAST_PID)
    return Demographics(**values, deleted=frozenset(deleted)) if deleted else Demographics(**values)


def read_names(field: Field) -> tuple[XPN, ...]:
    """The names of PID-5 or MRG-7."""
    return _XPNS[0](field)  # type: ignore[no-any-return]  # readers of the table are not typed each


def write_pid(identifiers: Sequence[CX], demographics: Demographics = _NOTHING_SAID, d: Delimiters = STANDARD) -> str:
    """PID with these identifiers and everything the demographics say."""
    fields: list[Content | None] = [None] * _LAST_PID
    fields[2] = [cx_content(identifier) for identifier in identifiers]
    for number, (attribute, _, content) in _PID.items():
        value = getattr(demographics, attribute)
        if attribute in demographics.deleted:
            fields[number - 1] = NULL
        elif value:
            fields[number - 1] = content(value)
    return segment("PID", *fields, d=d)


def write_mrg(identifiers: Sequence[CX], names: Sequence[XPN] = (), d: Delimiters = STANDARD) -> str:
    """MRG with the identifiers that end (ITI TF-2 3.8.4.2.2.4)."""
    prior = [cx_content(identifier) for identifier in identifiers]
    return segment("MRG", prior, None, None, None, None, None, [_name_content(name) for name in names], d=d)


# --------------------------------------------------------------------------- PV1


def read_location(field: Repetition) -> tuple[str, ...]:
    """PL: its components in the wire form of the recommended delimiters, so that nothing of them is lost."""
    parts = ["&".join(map(escape, field.subcomponents(n))) for n in range(1, len(field.components) + 1)]
    while parts and not parts[-1].strip("&"):
        parts.pop()
    return tuple(parts)


def _location_content(value: Sequence[str]) -> Content:
    return [tuple(tuple(map(unescape, part.split("&"))) for part in value)]


# PV1: as _PID, for Visit (HL7 v2.5 3.4.3; ITI TF-2, table 3.22-9)
_XCNS: Final = _every(_read_person, _person_content, XCN())
_PV1: Final[dict[int, tuple[str, Any, Any]]] = {
    2: ("patient_class", *_TEXT),
    3: ("location", read_location, _location_content),
    7: ("attending_doctors", *_XCNS),
    8: ("referring_doctors", *_XCNS),
    9: ("consulting_doctors", *_XCNS),
    10: ("hospital_service", *_TEXT),
    17: ("admitting_doctors", *_XCNS),
    19: ("visit_number", *_CX),
    44: ("admit_time", *_TEXT),
    45: ("discharge_time", *_TEXT),
}
_LAST_PV1: Final = max(_PV1)
_NOT_APPLICABLE: Final = "N"  # PV1-2, table 0004


def read_visit(pv1: Segment) -> Visit | None:
    """What PV1 says about a visit; None when it says that there is none, or nothing.

    A field sent as ``""`` is named in ``deleted``.
    """
    if len(pv1) <= 2 and pv1.raw(2) in ("", _NOT_APPLICABLE):  # the usual one
        return None
    values, deleted = _attributes(pv1, _PV1, 2, _LAST_PV1)
    if not values.keys() - {"patient_class"} and values.get("patient_class", "N") == "N":
        return None
    return Visit(**values, deleted=frozenset(deleted))


def write_pv1(visit: Visit | None, d: Delimiters = STANDARD) -> str:
    """PV1 with everything the visit says; without one PV1-2 is ``N`` (ITI TF-2 3.30.6.2.3)."""
    if visit is None:
        return segment("PV1", None, _NOT_APPLICABLE, d=d)
    fields: list[Content | None] = [None] * _LAST_PV1
    for number, (attribute, _, content) in _PV1.items():
        value = getattr(visit, attribute)
        if attribute in visit.deleted:
            fields[number - 1] = NULL
        elif value:
            fields[number - 1] = content(value)
    fields[1] = fields[1] or "U"  # required; unknown
    return segment("PV1", *fields, d=d)
