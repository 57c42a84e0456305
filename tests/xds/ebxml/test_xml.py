"""The door for XML: what is refused, what is understood, and what that may cost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xds.ebxml import xml
from xds.errors import MalformedMessage, MessageTooLarge

any_xml_text = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
        st.sampled_from("\t\n\r &<>\"'"),
    )
)

BOMB = (
    b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
    b"<r>&c;</r>"
)
EXTERNAL = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>'


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        EXTERNAL,
        b"<!DOCTYPE r><r/>",
        b"<!doctype r><r/>",
        b'<?xml version="1.0"?>\n<!DOCTYPE r SYSTEM "http://example.com/r.dtd"><r/>',
        b"<!-- a --><?pi x?> \n<!-- b --><!DOCTYPE r><r/>",
        b"\xef\xbb\xbf" + BOMB,
        b"  \n" + BOMB,
        BOMB.decode().encode("utf-16"),
        BOMB.decode().encode("utf-16-le"),
        BOMB.decode().encode("utf-32"),
        b'<?xml version="1.0" encoding="gb18030"?>' + BOMB,
    ],
)
def test_a_document_type_declaration_is_refused_whatever_stands_before_it(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="document type"):
        xml.parse(data)


def test_the_word_doctype_in_a_text_is_only_a_word() -> None:
    assert xml.parse(b"<r><![CDATA[<!DOCTYPE html>]]></r>").text == "<!DOCTYPE html>"
    assert xml.parse(b"<?a <!DOCTYPE ?><!-- <!DOCTYPE html> --><r/>").tag == "r"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"<!-- never ends <!DOCTYPE r><r/>",
        b"<?never ends <!DOCTYPE r><r/>",
        b"<!--> <!DOCTYPE r><r/>",
        b"no markup",
        b"<r>",
        b"<r></s>",
        b"<r/><r/>",
        b"<r a='1' a='2'/>",
        b"<x:r/>",
        b"<r>&unknown;</r>",
        b"<r>&#1;</r>",
        b"<r>\0</r>",
        b"<r>\xff</r>",
        b"<r>\xed\xa0\x80</r>",  # a surrogate in UTF-8
        b"\xff\xfe<\0r",
        b"\xff\xfe\xff\xfe<\0r\0/\0>\0",
        b"\xef\xbb\xbf\xef\xbb\xbf<r/>",
        b'<?xml version="1.0" encoding="utf-7"?><r>+AGE-</r>',
        b'<?xml version="1.0" encoding="rot13"?><r/>',
        b'<?xml version="1.0" encoding="unicode_escape"?><r/>',
        b'<?xml version="1.0" encoding="no-such-thing"?><r/>',
        b'<?xml version="1.0" encoding="gb18030"?><r>\x81</r>',
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        xml.parse(data)
    assert not isinstance(caught.value, MessageTooLarge)


def test_the_text_of_an_error_holds_nothing_of_the_message() -> None:
    with pytest.raises(MalformedMessage) as caught:
        xml.parse(b"<Zhang><Wei></Zhang>")
    assert str(caught.value) == "the XML is not well-formed (line 1, column 21)"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("encoding", "mark", "declaration"),
    [
        ("utf-8", b"", ""),
        ("utf-8", b"\xef\xbb\xbf", ""),
        ("utf-8", b"\xef\xbb\xbf", '<?xml version="1.0" encoding="UTF-8"?>'),
        ("utf-8", b"", '\n<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'),
        ("utf-8", b"", '<?xml version="1.0" encoding="utf-16"?>'),  # .NET strings, sent as UTF-8
        ("utf-8", b"\xef\xbb\xbf", '<?xml version="1.0" encoding="ISO-8859-1"?>'),
        ("utf-16", b"", '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-16", b"", ""),
        ("utf-16-le", b"", '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-16-be", b"", ""),
        ("utf-16-be", b"\xfe\xff", ""),
        ("utf-32", b"", ""),
        ("gb18030", b"", "<?xml version='1.0' encoding='GB18030'?>"),
        ("gbk", b"", "<?xml version='1.0' encoding='GBK'?>"),
        ("gb2312", b"", "<?xml version='1.0' encoding='GB2312'?>"),
    ],
)
def test_every_encoding_of_a_message_says_the_same(encoding: str, mark: bytes, declaration: str) -> None:
    root = xml.parse(mark + f'{declaration}<r a="王">国强</r>'.encode(encoding))
    assert (root.get("a"), root.text) == ("王", "国强")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("iso-8859-1", "ISO-8859-1"), ("cp1252", "windows-1252"), ("iso-8859-15", "ISO-8859-15"), ("utf-8", "utf8")],
)
def test_western_encodings_are_read(encoding: str, name: str) -> None:
    assert xml.parse(f'<?xml version="1.0" encoding="{name}"?><r>Müller</r>'.encode(encoding)).text == "Müller"


def test_the_encoding_of_the_transport_overrules_the_declaration_and_a_mark_overrules_both() -> None:
    declared = '<?xml version="1.0" encoding="UTF-8"?><r>Müller</r>'
    assert xml.parse(declared.encode("iso-8859-1"), encoding="ISO-8859-1").text == "Müller"
    assert xml.parse(declared.encode("utf-8-sig"), encoding="ISO-8859-1").text == "Müller"
    with pytest.raises(MalformedMessage):
        xml.parse(declared.encode(), encoding="utf-7")


def test_comments_and_processing_instructions_are_not_in_the_tree() -> None:
    root = xml.parse(b"<?a b?><r><!-- x -->one<?pi y?>two<!-- z --><s/></r><!-- end -->")
    assert [child.tag for child in root] == ["s"]
    assert root.text == "onetwo"


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<r>" + b"<a/>" * 500_000 + b"</r>", "tags"),
        (("<r>" + "<a/>" * 150_000 + "</r>").encode("utf-16"), "tags"),
        (b"<r>" + b"<!---->" * 150_000 + b"</r>", "tags"),
        (b"<r " + b" ".join(b'a%d=""' % n for n in range(150_000)) + b"/>", "attributes"),
        (b"<r " + b" ".join(b"xmlns:a%d='u'" % n for n in range(150_000)) + b"/>", "attributes"),
        (b"<r>" + b"&#65;" * 500_000 + b"</r>", "character references"),
        (b"<r>" + b"a" * 2**24 + b"</r>", "bytes"),
        (('<?xml version="1.0" encoding="gb18030"?><r>' + "王" * 6_000_000 + "</r>").encode("gb18030"), "bytes"),
    ],
)
def test_what_would_cost_too_much_is_refused_before_a_tree_is_built(
    data: bytes, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a tree is built")

    monkeypatch.setattr(etree, "fromstring", fail)
    with pytest.raises(MessageTooLarge, match=what):
        xml.parse(data)


def test_deep_nesting_ends_at_libxml2s_limit() -> None:
    depth = 200
    assert xml.parse(b"<a>" * depth + b"</a>" * depth).tag == "a"
    for depth in (300, 10_000):
        with pytest.raises(MessageTooLarge, match="nested too deeply"):
            xml.parse(b"<a>" * depth + b"</a>" * depth)


def test_the_limits_are_the_callers_to_raise_and_to_lower() -> None:
    data = b"<r>" + b"<a/>" * 120_000 + b"</r>"
    assert len(xml.parse(data, max_tags=200_000)) == 120_000
    with pytest.raises(MessageTooLarge, match="more than 10 bytes"):
        xml.parse(b"<r>" + b" " * 10 + b"</r>", max_size=10)


def test_a_long_text_is_read_when_the_message_may_be_that_long() -> None:
    text = xml.parse(b"<r>" + b"QUFB" * 2_700_000 + b"</r>").text
    assert text is not None
    assert len(text) == 10_800_000


def test_threads_parse_at_the_same_time() -> None:
    roots: list[str | None] = []

    def run() -> None:
        for number in range(200):
            roots.append(xml.parse(b"<r><a>%d</a></r>" % number).findtext("a"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(roots, key=str) == sorted([str(n) for n in range(200)] * 4, key=str)


@pytest.mark.parametrize(
    "message",
    [
        lambda n: b"<r>" + b"".join(b"<n%d-%d/>" % (n, m) for m in range(400)) + b"</r>",
        lambda n: b"<r " + b" ".join(b"n%d-%d=''" % (n, m) for m in range(400)) + b"/>",
        lambda n: b"<r>" + b"".join(b"<x xmlns:a='u:%d:%d'/>" % (n, m) for m in range(400)) + b"</r>",
        lambda n: b"<r>" + b"".join(b"<n%d-%d/>" % (n, m) for m in range(400)),  # never well-formed
    ],
)
def test_a_thread_fed_with_invented_names_stops_collecting_them(
    message: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml, "_WORN", 2**22)
    outcome: list[bool] = []

    def run() -> None:
        number = 0
        while not xml._THREAD.worn and number < 500:
            number += 1
            with suppress(MalformedMessage):
                xml.parse(message(number))
        grown = xml._THREAD.grown
        # it still answers, and no longer keeps what it reads
        assert all(xml.parse(b"<after/>").tag == "after" for _ in range(200))
        outcome.append(xml._THREAD.worn and xml._THREAD.grown == grown)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert outcome == [True]


def test_a_thread_that_reads_ordinary_messages_does_not_wear_out() -> None:
    grown: list[int] = []

    def run() -> None:
        for number in range(3000):
            xml.parse(b'<r xmlns="urn:r" id="%d"><a b="%d">%d</a></r>' % (number, number, number))
        grown.append(xml._THREAD.grown)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert grown[0] <= 64 * 5 * 80  # five names, counted once


# --------------------------------------------------------------------------- escaping


@given(any_xml_text)
def test_text_and_attributes_survive_a_parser(value: str) -> None:
    root = xml.parse(f'<r a="{xml.attribute(value)}">{xml.text(value)}</r>'.encode())
    assert (root.get("a"), root.text or "") == (value, value)


def test_what_needs_no_escaping_is_not_copied() -> None:
    value = "Müller^Zhang 王 '"
    assert xml.text(value) is value
    assert xml.attribute(value) is value


@pytest.mark.parametrize("character", ["\0", "\x01", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_characters_that_xml_cannot_carry_are_refused_or_replaced(character: str) -> None:
    for escape in (xml.text, xml.attribute):
        with pytest.raises(ValueError, match="cannot carry") as caught:
            escape(f"Wang{character}")
        assert "Wang" not in str(caught.value)
    assert xml.legal(f"a{character}b") == "a\ufffdb"
    assert xml.legal("plain") == "plain"


def test_the_prefixes_stand_for_the_namespaces_of_document_sharing() -> None:
    root = xml.parse(b"<r" + xml.PREFIXES + b"/>")
    assert set(root.nsmap) == {"rim", "rs", "lcm", "query", "xds", "xop"}
    assert root.nsmap["rim"] == "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
    assert root.nsmap["xop"] == "http://www.w3.org/2004/08/xop/include"
