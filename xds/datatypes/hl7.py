r"""HL7 v2.5 data types as Document Sharing metadata uses them (ITI TF-3, table 4.2.3.1.7-2).

Each is a frozen value with named components. ``parse`` reads the wire form and never fails on content: trailing
delimiters are ignored, components beyond the named ones stay, still escaped, in ``more``. ``str`` writes the wire form,
so ``parse(str(value)) == value``. Escapes are ``\F\ \S\ \R\ \T\ \E\``; others are left as they stand.

Whether a text may stand in metadata is another question; the ``…_problem`` functions answer it with the reason, or
with None when it may.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from xds.datatypes.ids import OID_PATTERN, is_oid

_ESCAPES: Final = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}
_MEANINGS: Final = {"F": "|", "S": "^", "R": "~", "T": "&", "E": "\\"}
_to_escape = re.compile(r"[|^~&\\]")
_escaped = re.compile(r"\\([FSRTE])\\")


def escape(text: str) -> str:
    """Text made safe to stand in an HL7 component."""
    return _to_escape.sub(lambda m: _ESCAPES[m[0]], text) if _to_escape.search(text) else text


def unescape(text: str) -> str:
    r"""The text behind the escapes ``\F\ \S\ \R\ \T\ \E\``; every other backslash is kept."""
    return _escaped.sub(lambda m: _MEANINGS[m[1]], text) if "\\" in text else text


def _join(parts: list[str], delimiter: str) -> str:
    while parts and not parts[-1]:
        parts.pop()
    return delimiter.join(parts)


@dataclass(frozen=True, slots=True)
class HD:
    """Hierarchic designator: an assigning authority by namespace, by universal id, or by both."""

    namespace_id: str = ""
    universal_id: str = ""
    universal_id_type: str = ""

    @classmethod
    def oid(cls, oid: str) -> HD:
        """The authority with this OID: ``&OID&ISO``."""
        return cls("", oid, "ISO")

    @classmethod
    def parse(cls, text: str, delimiter: str | None = None) -> HD:
        """Reads ``namespace&id&type``, or ``namespace^id^type`` as it stands in a field of its own."""
        parts = text.split(delimiter or ("^" if "^" in text else "&"), 3)
        return cls(*(unescape(part) for part in parts[:3]))

    def __bool__(self) -> bool:
        return bool(self.namespace_id or self.universal_id or self.universal_id_type)

    def __str__(self) -> str:
        return _join([escape(self.namespace_id), escape(self.universal_id), escape(self.universal_id_type)], "&")


NOBODY: Final = HD()


class _Composite:
    """Reading and writing of a data type from its table: component number → attribute.

    The attribute's type is seen from its default: HD for an authority, a tuple for the subcomponents after the
    first of a family name or street (they follow the attribute that holds the first).
    """

    __slots__ = ()
    _components: ClassVar[tuple[str, ...]]  # attribute of component 1, 2, …; "" where we name none
    _authorities: ClassVar[frozenset[str]] = frozenset()
    _divided: ClassVar[frozenset[str]] = frozenset()  # attribute x has its further subcomponents in x_parts

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the wire form. Nothing is refused; see the module."""
        values: dict[str, Any] = {}  # attribute: str, HD or tuple, by the table
        parts = text.split("^")
        for attribute, part in zip(cls._components, parts, strict=False):
            if not part:
                continue
            if attribute in cls._authorities:
                values[attribute] = HD.parse(part, "&")
            elif attribute in cls._divided:
                first, *rest = part.rstrip("&").split("&")
                values[attribute] = unescape(first)
                values[attribute + "_parts"] = tuple(unescape(sub) for sub in rest)
            else:
                values[attribute] = unescape(part)
        more = parts[len(cls._components) :]
        while more and not more[-1]:
            more.pop()
        if more:
            values["more"] = tuple(more)
        return cls(**values)

    def __str__(self) -> str:
        texts = []
        for attribute in self._components:
            value = getattr(self, attribute)
            if attribute in self._divided:
                texts.append(_join([escape(value), *map(escape, getattr(self, attribute + "_parts"))], "&"))
            else:
                texts.append(escape(value) if isinstance(value, str) else str(value))
        return _join([*texts, *self.more], "^")  # type: ignore[attr-defined]  # every subclass has it as its last field


@dataclass(frozen=True, slots=True)
class CX(_Composite):
    """An identifier and who assigned it. In metadata: ``id^^^&OID&ISO`` and nothing else."""

    id: str = ""
    assigning_authority: HD = NOBODY
    identifier_type_code: str = ""
    check_digit: str = ""
    check_digit_scheme: str = ""
    assigning_facility: HD = NOBODY
    more: tuple[str, ...] = ()

    _components = (
        "id",
        "check_digit",
        "check_digit_scheme",
        "assigning_authority",
        "identifier_type_code",
        "assigning_facility",
    )
    _authorities = frozenset(("assigning_authority", "assigning_facility"))

    @classmethod
    def of(cls, id: str, oid: str) -> CX:
        """The identifier ``id`` in the domain of the authority with this OID."""
        return cls(id, HD.oid(oid))

    def for_metadata(self) -> CX:
        """What metadata keeps of it: id and the authority's OID (ITI TF-3, table 4.2.3.1.7-2)."""
        return CX(self.id, HD("", self.assigning_authority.universal_id, self.assigning_authority.universal_id_type))


@dataclass(frozen=True, slots=True)
class CXi(_Composite):
    """An identifier of referenceIdList with its kind: an accession number, an order, a study, …"""

    id: str = ""
    assigning_authority: HD = NOBODY
    identifier_type_code: str = ""
    check_digit: str = ""
    check_digit_scheme: str = ""
    more: tuple[str, ...] = ()

    _components = ("id", "check_digit", "check_digit_scheme", "assigning_authority", "identifier_type_code")
    _authorities = frozenset(("assigning_authority",))


@dataclass(frozen=True, slots=True)
class XCN(_Composite):
    """A person with an identifier. The name components are those of XPN, shifted by one."""

    id: str = ""
    family_name: str = ""
    given_name: str = ""
    further_given_names: str = ""
    suffix: str = ""
    prefix: str = ""
    degree: str = ""
    assigning_authority: HD = NOBODY
    source_table: str = ""
    family_name_parts: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    _components = (
        "id",
        "family_name",
        "given_name",
        "further_given_names",
        "suffix",
        "prefix",
        "degree",
        "source_table",
        "assigning_authority",
    )
    _authorities = frozenset(("assigning_authority",))
    _divided = frozenset(("family_name",))


@dataclass(frozen=True, slots=True)
class XON(_Composite):
    """An organization: its name, and optionally its identifier (component 10) with the authority (component 6)."""

    name: str = ""
    id: str = ""
    assigning_authority: HD = NOBODY
    name_type_code: str = ""
    id_number: str = ""
    check_digit: str = ""
    check_digit_scheme: str = ""
    identifier_type_code: str = ""
    assigning_facility: HD = NOBODY
    name_representation_code: str = ""
    more: tuple[str, ...] = ()

    _components = (
        "name",
        "name_type_code",
        "id_number",
        "check_digit",
        "check_digit_scheme",
        "assigning_authority",
        "identifier_type_code",
        "assigning_facility",
        "name_representation_code",
        "id",
    )
    _authorities = frozenset(("assigning_authority", "assigning_facility"))


@dataclass(frozen=True, slots=True)
class XTN(_Composite):
    """A telephone number or an e-mail address."""

    number: str = ""  # component 7, the local number
    use_code: str = ""
    equipment_type: str = ""
    email: str = ""
    country_code: str = ""
    area_code: str = ""
    extension: str = ""
    text: str = ""
    formatted: str = ""  # component 1, what HL7 v2.2 wrote
    more: tuple[str, ...] = ()

    _components = (
        "formatted",
        "use_code",
        "equipment_type",
        "email",
        "country_code",
        "area_code",
        "number",
        "extension",
        "text",
    )

    @classmethod
    def internet(cls, email: str) -> XTN:
        """An e-mail address: ``^NET^Internet^address``."""
        return cls(use_code="NET", equipment_type="Internet", email=email)


@dataclass(frozen=True, slots=True)
class XPN(_Composite):
    """A person's name."""

    family_name: str = ""
    given_name: str = ""
    further_given_names: str = ""
    suffix: str = ""
    prefix: str = ""
    degree: str = ""
    name_type_code: str = ""
    name_representation_code: str = ""
    family_name_parts: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    _components = (
        "family_name",
        "given_name",
        "further_given_names",
        "suffix",
        "prefix",
        "degree",
        "name_type_code",
        "name_representation_code",
    )
    _divided = frozenset(("family_name",))


@dataclass(frozen=True, slots=True)
class XAD(_Composite):
    """An address. ``street`` is the first line; its street name and number, if sent apart, are in ``street_parts``."""

    street: str = ""
    other_designation: str = ""
    city: str = ""
    state: str = ""
    zip_code: str = ""
    country: str = ""
    address_type: str = ""
    other_geographic_designation: str = ""
    county: str = ""
    street_parts: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    _components = (
        "street",
        "other_designation",
        "city",
        "state",
        "zip_code",
        "country",
        "address_type",
        "other_geographic_designation",
        "county",
    )
    _divided = frozenset(("street",))


@dataclass(frozen=True, slots=True)
class CodedString(_Composite):
    """A role or specialty: ``code^^^&OID&ISO``, or free text, which is a code without a scheme."""

    code: str = ""
    scheme: HD = NOBODY
    component_2: str = ""
    component_3: str = ""
    more: tuple[str, ...] = ()

    _components = ("code", "component_2", "component_3", "scheme")
    _authorities = frozenset(("scheme",))

    @classmethod
    def parse(cls, text: str) -> CodedString:
        r"""Reads the wire form. Free text stands for itself, ``&`` and all, unless it has a ``\S\`` in it."""
        return cls(text) if "^" not in text and "\\S\\" not in text else super(CodedString, cls).parse(text)

    def __str__(self) -> str:
        free = self.code if self == CodedString(self.code) else "^"
        return super(CodedString, self).__str__() if "^" in free or "\\S\\" in free else free

    @classmethod
    def of(cls, code: str, oid: str) -> CodedString:
        """A code of the scheme with this OID."""
        return cls(code, HD.oid(oid))


# --------------------------------------------------------------------------- what may stand in metadata

_TEXT = r"(?:[^\^&|~\\]|\\[FSRTE]\\)"
_match_cx = re.compile(rf"{_TEXT}+\^\^\^&({OID_PATTERN})&ISO").fullmatch
_match_hd = re.compile(rf"[^&]*&({OID_PATTERN})&ISO").fullmatch
_match_cxi = re.compile(rf"{_TEXT}+\^\^\^(?P<authority>[^^]*)\^{_TEXT}+\^*").fullmatch


def cx_problem(text: str) -> str | None:
    """Why ``text`` is not the CX of metadata, exactly ``id^^^&OID&ISO``; None when it is."""
    match = _match_cx(text)
    if match is None:
        return "is not an identifier of the form id^^^&OID&ISO"
    return None if len(match[1]) <= 64 else "has an assigning authority longer than 64 characters"


def _authority_problem(text: str) -> str | None:
    match = _match_hd(text)
    if match is None or len(match[1]) > 64:
        return "has an assigning authority that is not of the form &OID&ISO"
    return None


def cxi_problem(text: str) -> str | None:
    """Why ``text`` is not a CXi (``id^^^authority^type``); None when it is."""
    match = _match_cxi(text)
    if match is None:
        return "is not of the form id^^^authority^type: the id and its type are required, nothing may follow"
    authority = match["authority"].rstrip("&")
    if "&" in authority:  # a bare namespace id is allowed
        return _authority_problem(authority)
    return None


def xcn_problem(text: str) -> str | None:
    """Why ``text`` is not the XCN of metadata; None when it is."""
    parts = text.split("^")
    if not parts[0] and not (len(parts) > 1 and parts[1].strip("&")):
        return "has neither an id (component 1) nor a family name (component 2)"
    authority = parts[8] if len(parts) > 8 else ""
    return _authority_problem(authority) if authority.strip("&") else None


_XON_UNUSED = (1, 2, 3, 4, 6, 7, 8)


def xon_problem(text: str) -> str | None:
    """Why ``text`` is not the XON of metadata; None when it is."""
    parts = text.split("^")
    if not parts[0]:
        return "has no organization name (component 1)"
    if len(parts) == 1:
        return None
    parts += [""] * (10 - len(parts))
    if any(parts[i] for i in _XON_UNUSED) or any(parts[10:]):
        return "has other components than the name (1), the authority (6) and the id (10)"
    authority, identifier = parts[5], parts[9]
    if authority.strip("&"):
        return _authority_problem(authority)
    if identifier and not is_oid(identifier):
        return "has an organization id that is no OID, without its assigning authority (component 6)"
    return None


def xtn_problem(text: str) -> str | None:
    """Why ``text`` is not the XTN of metadata; None when it is. Component 12 may stand for the number."""
    parts = text.split("^")
    parts += [""] * (12 - len(parts))
    if not parts[2]:
        return "has no equipment type (component 3)"
    if parts[2].lower() == "internet":
        return None if parts[3] else "has no e-mail address (component 4)"
    return None if parts[6] or parts[11] else "has no telephone number (component 7)"
