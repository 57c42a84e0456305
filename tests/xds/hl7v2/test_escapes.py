from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.errors import MalformedMessage
from xds.hl7v2.escapes import STANDARD, Delimiters, delimiters

TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(TEXT)
def test_escaped_text_is_the_text_again(text: str) -> None:
    assert STANDARD.unescape_text(STANDARD.escape_text(text)) == text


@given(TEXT)
def test_escaped_text_holds_no_delimiter_and_no_frame_byte(text: str) -> None:
    escaped = STANDARD.escape_text(text)
    assert not set(escaped) & set("|^~&\r\n\x0b\x1c")


@given(TEXT)
def test_unescaping_never_fails(text: str) -> None:
    STANDARD.unescape_text(text)


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\F\b", "a|b"),
        (r"\S\\T\\R\\E\ ", "^&~\\ "),
        (r"\H\bold\N\ ", "bold "),
        (r"\X41\ ", "A "),
        (r"\XE5BCA0\ ", "张 "),
        (r"\XE5\\XBCA0\ ", "张 "),  # one character over two sequences
        (r"\XE5\ ", r"\XE5\ "),  # half a character stays
        (r"\X4\ ", r"\X4\ "),
        (r"\.br\ ", r"\.br\ "),
        (r"\Z12\ ", r"\Z12\ "),
        (r"\Cxxyy\ ", r"\Cxxyy\ "),
        (r"C:\temp", r"C:\temp"),
        ("\\", "\\"),
    ],
)
def test_escape_sequences(escaped: str, text: str) -> None:
    assert STANDARD.unescape_text(escaped) == text


def test_hexadecimal_bytes_are_in_the_character_set_of_the_message() -> None:
    assert STANDARD.unescape_text(r"\XD5C5\ ", "gb18030") == "张 "


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("^~\\&", STANDARD),
        ("^~\\&#", Delimiters(truncation="#")),
        ("!@%$", Delimiters("|", "!", "@", "%", "$")),
        ("^~", STANDARD),
        ("^", STANDARD),
        ("&~\\", Delimiters("|", "&", "~", "\\", "")),  # the recommended subcomponent is in use for something else
    ],
)
def test_declared_delimiters(declared: str, expected: Delimiters) -> None:
    assert delimiters("|", declared) == expected


@pytest.mark.parametrize("declared", ["", "^^\\&", "|~\\&", "^~\\&#!", "AB\\&", "^ \\&", "张~\\&"])
def test_delimiters_that_cannot_be_told_apart_are_refused(declared: str) -> None:
    with pytest.raises(MalformedMessage):
        delimiters("|", declared)


def test_without_an_escape_character_delimiters_in_text_become_blanks() -> None:
    bare = Delimiters("|", "^", "~", "", "")
    assert bare.escape_text("a^b|c") == "a b c"
    assert bare.unescape_text(r"\F\ ") == r"\F\ "


def test_delimiters_are_values() -> None:
    other = Delimiters("$", "^", "~", "\\", "&", "#")
    assert pickle.loads(pickle.dumps(other)) == other
    assert hash(Delimiters()) == hash(STANDARD)
    assert other != STANDARD
