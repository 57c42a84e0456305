from __future__ import annotations

from pathlib import Path

import pytest

from xds.metadata.codes import CODE_SCHEMES, CodeTable

TOML = """
mimeType = ["text/xml", "Application/PDF"]
classCode = [
    { code = "34133-9", scheme = "2.16.840.1.113883.6.1", name = "Summarization of Episode Note" },
    { code = "出院", scheme = "1.2.3" },
]
"""
XML = """<?xml version="1.0" encoding="UTF-8"?>
<!-- <CodeType name="typeCode"><Code code="not" codingScheme="this one"/></CodeType> -->
<Codes>
    <CodeType name="classCode" classScheme="urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a">
        <Code code="34133-9" display="Summary &amp; more" codingScheme="2.16.840.1.113883.6.1" system="http://loinc.org"/>
        <Code code='出院' codingScheme='1.2.3'></Code>
    </CodeType>
    <CodeType name="folderCodeList"></CodeType>
    <CodeType name="documentEntryType"><Code code="a" codingScheme="b"/></CodeType>
    <CodeType name="mimeType"><Code code="text/xml" ext="xml"/><Code code="application/pdf"/></CodeType>
    <AssigningAuthority id="&amp;1.2.3&amp;ISO"/>
</Codes>
"""


@pytest.fixture(params=["toml", "xml"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> CodeTable:
    path = tmp_path / "codes"
    path.write_text(TOML if request.param == "toml" else XML, "utf-8")
    return CodeTable.load(path)


def test_a_code_is_allowed_by_code_and_scheme(table: CodeTable) -> None:
    assert table.allows("classCode", "34133-9", "2.16.840.1.113883.6.1")
    assert table.allows("classCode", "出院", "1.2.3")
    assert not table.allows("classCode", "34133-9", "1.2.3")
    assert not table.allows("classCode", "34133-8", "2.16.840.1.113883.6.1")


def test_an_attribute_without_a_list_is_not_restricted(table: CodeTable) -> None:
    assert table.allows("typeCode", "anything", "at all")


def test_mime_types_are_compared_without_case_and_parameters(table: CodeTable) -> None:
    assert table.allows_mime_type("TEXT/xml; charset=utf-8")
    assert table.allows_mime_type("application/pdf")
    assert not table.allows_mime_type("image/png")
    assert CodeTable().allows_mime_type("image/png")


def test_an_empty_list_allows_nothing() -> None:
    assert not CodeTable.from_xml(XML.encode()).allows("folderCodeList", "a", "b")
    assert not CodeTable.from_toml(b"mimeType = []").allows_mime_type("text/xml")


def test_display_names_are_kept() -> None:
    row = CodeTable.from_xml(XML.encode()).codes["classCode"]
    assert row["34133-9", "2.16.840.1.113883.6.1"] == "Summary & more"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("colour = [{code = 'a', scheme = 'b'}]", "colour"),
        ("classCode = [{code = 'a'}]", "classCode"),
        ("classCode = ['a']", "classCode"),
        ("classCode = 'a'", "classCode"),
        ("mimeType = 'a'", "mimeType"),
        ("classCode = [", "Invalid"),
        ("<html></html>", "CodeType"),
        ("<Codes><CodeType name='colour'/></Codes>", "CodeType"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "codes"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=reason):
        CodeTable.load(path)


def test_every_attribute_of_the_toolkit_s_table_is_read(shared: Path) -> None:
    table = CodeTable.load(shared / "conformance" / "codes.xml")
    assert set(table.codes) == set(CODE_SCHEMES)
    assert len(table.codes["formatCode"]) > 30
    assert table.allows("formatCode", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3")
    assert table.mime_types is not None
    assert len(table.mime_types) == 14
