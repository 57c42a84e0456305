from __future__ import annotations

import codecs

import pytest

from xds.vocab.hl7 import (
    CHARSET_ALIASES,
    CHARSETS,
    STRUCTURES,
    UNUSABLE_CHARSETS,
    AckCode,
    FeedEvent,
    Hl7ErrorCode,
    charset_of,
    codec_of,
)


@pytest.mark.parametrize("charset", CHARSETS)
def test_every_character_set_of_table_0211_has_a_codec_that_reads_ascii_as_ascii(charset: str) -> None:
    codec = codec_of(charset)
    assert codec is not None
    assert b"MSH|^~&".decode(codec) == "MSH|^~&"


@pytest.mark.parametrize("charset", CHARSETS)
def test_the_name_written_for_a_codec_is_in_the_table_and_means_that_codec(charset: str) -> None:
    name = charset_of(CHARSETS[charset])
    assert name in CHARSETS
    assert codec_of(name) == codec_of(charset)


@pytest.mark.parametrize("alias", CHARSET_ALIASES)
def test_every_alias_is_a_codec(alias: str) -> None:
    assert codecs.lookup(CHARSET_ALIASES[alias])


@pytest.mark.parametrize(
    ("alias", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("unicode utf-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("ISO-8859-1", "iso8859-1"),
        ("8859-1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("WINDOWS-1252", "cp1252"),
        ("GB18030", "gb18030"),
        ("gb 18030-2000", "gb18030"),
        ("GBK", "gb18030"),
        ("GB2312", "gb18030"),
        ("Big5", "big5"),
        ("ISO_IR100", "iso8859-1"),
        ("US-ASCII", "ascii"),
    ],
)
def test_names_from_the_field_are_understood(alias: str, codec: str) -> None:
    assert codec_of(alias) == codec


@pytest.mark.parametrize("charset", [*sorted(UNUSABLE_CHARSETS), "KLINGON", "utf-16"])
def test_what_cannot_travel_over_mllp_has_no_codec(charset: str) -> None:
    assert codec_of(charset) is None


@pytest.mark.parametrize("code", Hl7ErrorCode)
def test_every_error_code_has_a_text_and_an_acknowledgement_code(code: Hl7ErrorCode) -> None:
    assert code.text
    assert code.ack_code.commit in (AckCode.CA, AckCode.CE, AckCode.CR)
    assert (code.ack_code is AckCode.AA) == (code is Hl7ErrorCode.MESSAGE_ACCEPTED)


@pytest.mark.parametrize("code", ["200", "201", "202", "203"])
def test_what_the_header_is_to_blame_for_is_rejected(code: str) -> None:
    assert Hl7ErrorCode(code).ack_code is AckCode.AR


@pytest.mark.parametrize("event", FeedEvent)
def test_every_event_has_a_structure_and_does_one_thing(event: FeedEvent) -> None:
    assert STRUCTURES[event].startswith("ADT_A")
    assert event.creates + event.updates + event.has_prior + event.links == 1
    assert event.has_prior or not event.merges
