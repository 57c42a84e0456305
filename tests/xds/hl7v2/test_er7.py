from __future__ import annotations

import hl7apy.parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.errors import MessageTooLarge
from xds.hl7v2.er7 import Message, message, parse, segment
from xds.hl7v2.errors import Hl7Rejected, MalformedHl7
from xds.hl7v2.escapes import Delimiters
from xds.vocab.hl7 import CHARSETS

MSH = r"MSH|^~\&|HIS|H01|REG|XDS|20260101120000||ADT^A01^ADT_A01|C1|P|2.5||||||"


def adt(pid: str, *, charset: str = "", more: str = "") -> str:
    return f"{MSH}{charset}\rEVN|A01|20260101120000\r{pid}\r{more}"


# characters whose second byte in GB18030 is a delimiter, and what that byte is
TRAPS = [
    (character, byte)
    for byte in b"|^~\\&"
    for lead in range(0x81, 0xFF)
    if (character := bytes([lead, byte]).decode("gb18030", "ignore")) and len(character) == 1 and ord(character) > 127
]


def test_there_are_hundreds_of_chinese_characters_with_a_delimiter_in_their_bytes() -> None:
    assert len(TRAPS) == 504


@pytest.mark.parametrize(
    "character", [trap[0] for trap in TRAPS if trap[0] in "東葉區額絕玘"] + [trap[0] for trap in TRAPS[::63]]
)
def test_a_gb18030_name_is_split_after_decoding(character: str) -> None:
    text = adt(f"PID|||1^^^A||{character}^{character}明~li^ming", charset="GB 18030-2000")
    name = parse(text.encode("gb18030"))["PID"][5]
    assert [r[1] for r in name.repetitions] == [character, "li"]
    assert name[2] == character + "明"


def test_every_trap_character_survives() -> None:
    everything = "".join(character for character, _ in TRAPS)
    read = parse(adt(f"PID|||1||{everything}", charset="GB 18030-2000").encode("gb18030"))
    assert read.value("PID-5.1") == everything


NAMES = {
    "8859/1": "Müller",
    "8859/2": "Łukasz",
    "8859/5": "Иванов",
    "8859/6": "محمد",
    "8859/7": "Γιώργος",
    "8859/8": "כהן",
    "8859/9": "Şahin",
    "8859/15": "Œuvre",
    "ISO IR87": "山田",
    "ISO IR159": "山田",
    "ISO IR14": "ﾔﾏﾀﾞ",
    "GB 18030-2000": "欧阳东區𠮷",
    "KS X 1001": "김철수",
    "BIG-5": "陳功許蓋",
    "UNICODE": "张三",
    "UNICODE UTF-8": "张三𠮷",
}


@pytest.mark.parametrize("charset", NAMES)
def test_names_are_read_in_the_character_set_of_msh_18(charset: str) -> None:
    data = adt(f"PID|||1^^^A||{NAMES[charset]}^B", charset=charset).encode(CHARSETS[charset])
    read = parse(data)
    assert (read.value("PID-5.1"), read.value("PID-5.2")) == (NAMES[charset], "B")
    assert not read.lenient
    assert bytes(read) == data


@pytest.mark.parametrize("alias", ["UTF-8", "utf8", "UNICODE UTF-8~ISO IR87", " UNICODE UTF-8 "])
def test_aliases_and_dirt_in_msh_18_are_tolerated(alias: str) -> None:
    assert parse(adt("PID|||1||张", charset=alias).encode()).value("PID-5") == "张"


def test_chinese_names_in_msh_do_not_hide_msh_18() -> None:
    # the second byte of 區 is a "^", of 絕 a "~" or "|" …: whatever it is, the place of MSH-18 must not move
    for character, _ in TRAPS[::17]:
        header = MSH.replace("|H01|", f"|{character}院|")
        data = f"{header}GB 18030-2000\rPID|||1||{character}\r".encode("gb18030")
        assert parse(data).value("PID-5") == character
        assert parse(data).value("MSH-4") == f"{character}院"


@pytest.mark.parametrize(
    ("name", "encoding", "codec"),
    [("张", "utf-8", "utf-8"), ("Müller", "latin-1", "latin-1"), ("abc", "ascii", "utf-8")],
)
def test_without_msh_18_utf_8_is_tried_before_latin_1(name: str, encoding: str, codec: str) -> None:
    read = parse(adt(f"PID|||1||{name}").encode(encoding))
    assert read.value("PID-5") == name
    assert read.charset == codec
    assert read.lenient == (name != "abc")


def test_the_assumed_character_set_is_configurable() -> None:
    assert parse(adt("PID|||1||张").encode("gb18030"), fallbacks=("gb18030",)).value("PID-5") == "张"


def test_bytes_that_are_not_in_the_declared_set_are_refused_at_msh_18() -> None:
    data = adt("PID|||1||张", charset="UNICODE UTF-8").encode("gb18030")
    with pytest.raises(MalformedHl7) as refused:
        parse(data)
    assert str(refused.value.error) == "102 Data type error at MSH^1^18"
    replaced = parse(data, replace=True)
    assert "\ufffd" in replaced.value("PID-5")
    assert replaced.lenient


def test_an_unknown_character_set_is_refused_at_msh_18() -> None:
    with pytest.raises(MalformedHl7) as refused:
        parse(adt("PID|||1", charset="KLINGON").encode())
    assert str(refused.value.error) == "103 Table value not found at MSH^1^18"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\n", "\r\r"])
def test_segments_may_end_with_any_line_end(end: str) -> None:
    data = end.join([MSH, "EVN|A01", "PID|||1^^^A", "PV1|1|N"]).encode()
    for tail in (b"", end.encode()):
        assert [s.id for s in parse(data + tail).segments] == ["MSH", "EVN", "PID", "PV1"]


def test_a_line_feed_inside_a_field_is_data_where_segments_end_with_cr() -> None:
    read = parse(f"{MSH}\rPID|||1||A\nB\rNTE|1||line one\nline two\nPV1|1|N\r".encode())
    assert str(read["PID"][5]) == "A\nB"
    assert [s.id for s in read.segments] == ["MSH", "PID", "NTE", "PV1"]


def test_a_line_feed_inside_msh_is_data_and_hides_no_character_set() -> None:
    read = parse(f"{MSH[:-1]}CHN\n|GB 18030-2000\rPID|||1||\u5f20\u4f1f\r".encode("gb18030"))
    assert read["MSH"].text(18) == "GB 18030-2000"
    assert str(read["PID"][5]) == "\u5f20\u4f1f"


def test_a_line_feed_inside_msh_begins_no_segment_in_an_answer() -> None:
    read = parse(f"{MSH.replace('HIS', chr(10) + 'PIDs')}\rEVN|A01\r".encode())
    assert read["MSH"].text(3) == "PIDs"


@pytest.mark.parametrize("dirt", [b"\xef\xbb\xbf", b"\r\n", b" ", b"\x00"])
def test_dirt_before_msh_is_skipped(dirt: bytes) -> None:
    assert parse(dirt + adt("PID|||1").encode()).control_id == "C1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\r",
        b"hello",
        b"PID|||1\r",
        b"MSH",
        b"MSHA^~",
        b"MSH|",
        b"MSH||x",
        bytes(range(256)),
        b"\x00" * 100,
        b"MSH\xff^~",
    ],
)
def test_what_is_no_message_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedHl7):
        parse(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_malformed(data: bytes) -> None:
    for start in (b"", b"MSH|^~\\&|", MSH.encode()):
        try:
            read = parse(start + data)
        except MalformedHl7:
            continue
        for each in read.segments:
            for field in each:
                assert field.delimiters.repetition.join(r.raw for r in field.repetitions) == field.whole


def test_too_many_segments_fields_and_repetitions_are_too_large() -> None:
    with pytest.raises(MessageTooLarge):
        parse(MSH.encode() + b"\r" * 20_000)
    with pytest.raises(MessageTooLarge):
        parse(f"{MSH}\rPID{'|' * 5000}\r".encode())["PID"]
    with pytest.raises(MessageTooLarge):
        assert parse(f"{MSH}\rPID|||{'~' * 5000}\r".encode())["PID"][3].repetitions


# --------------------------------------------------------------------------- access


def test_fields_components_and_subcomponents() -> None:
    read = parse(adt(r"PID|1||12^^^NS&1.2.3&ISO^MR~34^^^&4.5&ISO||O\T\Neill^A\S\B|||M").encode())
    pid = read["PID"]
    first, second = pid[3].repetitions
    assert (first[1], first[4], first.subcomponents(4), first[5]) == ("12", "NS", ["NS", "1.2.3", "ISO"], "MR")
    assert second.subcomponents(4) == ["", "4.5", "ISO"]
    assert pid[5][1] == "O&Neill"
    assert pid[5][2] == "A^B"
    assert str(pid[5]) == "O&Neill^A^B"
    assert str(pid[8]) == "M"
    assert not pid[99]
    assert pid[99].repetitions == []
    assert first[99] == ""
    assert first.subcomponents(99) == [""]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", r"^~\&"),
        ("MSH-9.2", "A01"),
        ("PID-3", "12^^^NS&1.2&ISO"),
        ("PID-3.1", "12"),
        ("PID-3(2).1", "34"),
        ("PID-3.4.2", "1.2"),
        ("PID-3.4.9", ""),
        ("PID-3(3).1", ""),
        ("PID-3(0).1", ""),
        ("ZZZ-1", ""),
        ("PID-40", ""),
    ],
)
def test_paths(path: str, value: str) -> None:
    assert parse(adt("PID|1||12^^^NS&1.2&ISO~34").encode()).value(path) == value


def test_a_path_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a path"):
        parse(MSH.encode()).value("PID.3")


def test_null_is_not_empty() -> None:
    pid = parse(adt('PID|||1||""||""^x').encode())["PID"]
    assert pid[5].is_null
    assert not pid[6].is_null
    assert not pid[7].is_null


def test_unknown_segments_are_kept_and_a_missing_one_is_a_sequence_error() -> None:
    data = adt("PID|||1", more="ZBE|a|b\rZBE|c\r").encode()
    read = parse(data)
    assert [z[1].raw for z in read.all("ZBE")] == ["a", "c"]
    assert bytes(read) == data
    assert "PV1" not in read
    with pytest.raises(Hl7Rejected) as missing:
        read["PV1"]
    assert str(missing.value) == "100 Segment sequence error at PV1^1"


def test_other_delimiters_are_read_from_the_message() -> None:
    read = parse(b"MSH$!@%*$A$B$C$D$2026$$ADT!A01$X$P$2.5\rPID$$$1!!!N*1.2*ISO@2$$a%S%b!c\r")
    assert read.value("PID-3.4.2") == "1.2"
    assert read.value("PID-3(2).1") == "2"
    assert read.value("PID-5.1") == "a!b"


def test_nothing_of_the_patient_is_in_representations() -> None:
    read = parse(adt("PID|||1||Secret^Wohlfahrt").encode())
    shown = repr([read, read["PID"], read["PID"][5], *read["PID"][5].repetitions])
    assert "Secret" not in shown


# --------------------------------------------------------------------------- writing

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
LEAF = st.one_of(st.just(""), TEXT)
CHARACTERS = st.permutations("!@$%+*;").map(lambda c: Delimiters(*c[:5]))


@given(
    st.lists(st.lists(st.lists(LEAF, min_size=1, max_size=3), min_size=1, max_size=4), min_size=1, max_size=3),
    CHARACTERS,
)
def test_what_is_written_is_read_again(field: list[list[list[str]]], d: Delimiters) -> None:
    content = [tuple(tuple(component) for component in repetition) for repetition in field]
    msh = segment(
        "MSH", "A", "B", "C", "D", "2026", None, ("ADT", "A01"), "C1", "P", "2.5", *[None] * 5, "UNICODE UTF-8", d=d
    )
    read = parse(bytes(message(msh, segment("ZZZ", None, content, d=d), d=d)))
    got = read["ZZZ"][2].repetitions if read["ZZZ"][2] else []
    for n, repetition in enumerate(field):
        for c, component in enumerate(repetition, 1):
            for s, text in enumerate(component):
                parts = got[n].subcomponents(c) if n < len(got) else [""]
                assert (parts[s] if s < len(parts) else "") == ("" if text == '""' else text) or text == '""'


def test_trailing_empty_fields_components_and_subcomponents_are_left_out() -> None:
    assert segment("PID", "1", None, [("1", "", "", ("", "1.2", "ISO"), "")], "", None) == "PID|1||1^^^&1.2&ISO"


def test_hl7apy_reads_what_we_write_and_the_other_way_round() -> None:
    msh = segment("MSH", "HIS", "H01", "REG", "XDS", "20260101", None, ("ADT", "A01", "ADT_A01"), "C1", "P", "2.5")
    ours = message(
        msh,
        segment("EVN", None, "20260101"),
        segment("PID", None, None, [("7", "", "", ("N", "1.2", "ISO"))], None, ("O'Neill & Söhne", "Ann")),
    )
    theirs = hl7apy.parser.parse_message(str(ours).rstrip("\r"))
    assert theirs.pid.pid_3.cx_4.hd_2.to_er7() == "1.2"
    assert theirs.pid.pid_5.xpn_2.to_er7() == "Ann"
    again = parse(theirs.to_er7().encode())
    assert again.value("PID-5.1") == "O'Neill & Söhne"
    assert isinstance(again, Message)
