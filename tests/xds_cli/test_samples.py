"""The demo's documents are what they say they are."""

from __future__ import annotations

import re
import zlib

from xds.ebxml import xml
from xds_cli import samples


def test_the_documents_are_the_same_on_every_run() -> None:
    assert samples.documents() == samples.documents()


def test_the_discharge_summary_is_a_clinical_document_with_four_sections() -> None:
    root = xml.parse(samples.documents()[0].content)
    assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert len(root.findall(".//{urn:hl7-org:v3}section")) == 4


def test_the_pdf_has_its_objects_where_its_table_says() -> None:
    content = samples.documents()[1].content
    assert content.startswith(b"%PDF-1.4")
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n$", content)[0])
    assert content[start : start + 4] == b"xref"
    offsets = [int(each) for each in re.findall(rb"(\d{10}) 00000 n ", content[start:])]
    for number, offset in enumerate(offsets, 1):
        assert content[offset:].startswith(b"%d 0 obj\n" % number)
    pages = re.findall(rb"/Length (\d+) /Filter /FlateDecode >>\nstream\n", content)
    assert len(pages) == content.count(b"/Type /Page ") == 96
    first = re.search(rb"/Length (\d+) /Filter /FlateDecode >>\nstream\n", content)
    assert first is not None
    assert b"Echocardiogram report" in zlib.decompress(content[first.end() : first.end() + int(first[1])])


def test_the_pdf_is_large_enough_to_be_stored_as_a_file() -> None:
    assert len(samples.documents()[1].content) > 100 * 1024


def test_the_chinese_note_is_gb18030_and_not_utf_8() -> None:
    content = samples.documents()[2].content
    assert "出院小结" in content.decode("gb18030")
    assert samples.PATIENTS[1].family in content.decode("gb18030")
    assert content.decode("utf-8", "replace").count("\ufffd") > 20
