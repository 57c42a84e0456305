"""The codes and MIME types an affinity domain allows (ITI TF-3, 4.2.3.1.2; ITI TF-2, 3.42.4.1.3).

Our own format is TOML, one list per attribute; an attribute without a list is not restricted::

    mimeType = ["text/xml", "application/pdf"]

    classCode = [
        { code = "34133-9", scheme = "2.16.840.1.113883.6.1", name = "Summarization of Episode Note" },
        { code = "11488-4", scheme = "2.16.840.1.113883.6.1", name = "Consultation Note" },
    ]

The attributes are classCode, confidentialityCode, contentTypeCode, eventCodeList, formatCode,
healthcareFacilityTypeCode, practiceSettingCode, typeCode, folderCodeList, associationDocumentation and mimeType.
The ``codes.xml`` of the NIST and Gazelle tools is read as well.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, Self

from xds.vocab.ebrim import Scheme

#: attribute → @classificationScheme, by the names code tables use
CODE_SCHEMES: Final = {
    "classCode": Scheme.CLASS_CODE,
    "confidentialityCode": Scheme.CONFIDENTIALITY_CODE,
    "contentTypeCode": Scheme.CONTENT_TYPE_CODE,
    "eventCodeList": Scheme.EVENT_CODE,
    "formatCode": Scheme.FORMAT_CODE,
    "healthcareFacilityTypeCode": Scheme.HEALTHCARE_FACILITY_TYPE_CODE,
    "practiceSettingCode": Scheme.PRACTICE_SETTING_CODE,
    "typeCode": Scheme.TYPE_CODE,
    "folderCodeList": Scheme.FOLDER_CODE,
    "associationDocumentation": Scheme.ASSOCIATION_DOCUMENTATION,
}
MIME_TYPE: Final = "mimeType"


def media_type(mime_type: str) -> str:
    """The type and subtype of a MIME type in lower case, without parameters (RFC 2045, 5.1)."""
    return mime_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Which codes each attribute may have. Two codes are equal when code and scheme are; names play no part."""

    #: attribute → {(code, scheme): display name}; an attribute that is missing is not restricted
    codes: Mapping[str, Mapping[tuple[str, str], str]] = field(default_factory=dict)
    #: type/subtype in lower case; None does not restrict
    mime_types: frozenset[str] | None = None
    # the same by @classificationScheme, which is what the rules look up
    by_scheme: Mapping[str, frozenset[tuple[str, str]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.codes) - set(CODE_SCHEMES))
        if unknown:
            raise ValueError(f"no attribute {unknown[0]!r} has codes; there are {', '.join(CODE_SCHEMES)}, {MIME_TYPE}")
        rows = {CODE_SCHEMES[name].value: frozenset(codes) for name, codes in self.codes.items()}
        object.__setattr__(self, "by_scheme", rows)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a table: XML when the file begins with ``<``, else TOML. A ValueError says what is wrong with it."""
        content = Path(path).read_bytes()
        return (
            cls.from_xml(content) if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else cls.from_toml(content)
        )

    @classmethod
    def from_toml(cls, content: bytes) -> Self:
        """Our own format, see the module."""
        tables = tomllib.loads(content.decode("utf-8-sig"))
        mime_types = tables.pop(MIME_TYPE, None)
        codes: dict[str, dict[tuple[str, str], str]] = {}
        for attribute, rows in tables.items():
            if not isinstance(rows, list):
                raise ValueError(f"{attribute} is not a list of codes")
            for row in rows:
                if not (isinstance(row, dict) and row.get("code") and row.get("scheme")):
                    raise ValueError(f"{attribute} has a row without code and scheme: {row!r}")
                name = str(row.get("name", row["code"]))
                codes.setdefault(attribute, {})[str(row["code"]), str(row["scheme"])] = name
        if mime_types is not None and not isinstance(mime_types, list):
            raise ValueError("mimeType is not a list")
        return cls(codes, _mime_types(mime_types))

    @classmethod
    def from_xml(cls, content: bytes) -> Self:
        """``<Codes>`` of the NIST and Gazelle tools: CodeType elements with Code elements in them."""
        reader = _CodesReader()
        reader.feed(content.decode("utf-8-sig"))
        reader.close()
        if not reader.codes and reader.mime_types is None:
            raise ValueError("the code table has no CodeType elements with names we know")
        return cls(reader.codes, _mime_types(reader.mime_types))

    def allows(self, attribute: str, code: str, scheme: str) -> bool:
        """Whether an attribute may have this code."""
        rows = self.codes.get(attribute)
        return rows is None or (code, scheme) in rows

    def allows_mime_type(self, mime_type: str) -> bool:
        """Whether a document may have this MIME type; case and parameters do not matter."""
        return self.mime_types is None or media_type(mime_type) in self.mime_types


def _mime_types(values: Iterable[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(map(media_type, values))


class _CodesReader(HTMLParser):
    """Reads the start tags of ``codes.xml``: a flat list, for which tags and attributes are enough.

    The file is the operator's; with no XML parser at work there are no entities and no DTD to be careful about.
    Names come in lower case.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.codes: dict[str, dict[tuple[str, str], str]] = {}
        self.mime_types: list[str] | None = None
        self._attribute = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "codetype":
            self._attribute = values.get("name", "")
            if self._attribute == MIME_TYPE:
                self.mime_types = []
            elif self._attribute in CODE_SCHEMES:
                self.codes.setdefault(self._attribute, {})
        elif tag == "code" and self._attribute == MIME_TYPE and self.mime_types is not None:
            self.mime_types.append(values.get("code", ""))
        elif tag == "code" and self._attribute in self.codes:
            self.codes[self._attribute][values.get("code", ""), values.get("codingscheme", "")] = values.get(
                "display", ""
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "codetype":
            self._attribute = ""
