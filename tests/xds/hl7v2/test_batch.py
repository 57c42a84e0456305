from __future__ import annotations

import pytest

from xds.errors import MalformedMessage
from xds.hl7v2.batch import is_batch, read_batch, write_batch
from xds.hl7v2.er7 import parse

FIRST = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\rPID|||1\r"
SECOND = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|2|P|2.5\rPID|||2\rNTE|1||MSH is no segment here\r"


@pytest.mark.parametrize(
    "data",
    [
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + FIRST + SECOND + b"BTS|2\rFTS|1\r",
        b"BHS|^~\\&|A\r" + FIRST + SECOND + b"BTS|2",
        b"BHS|^~\\&|A\r" + FIRST + b"BTS|1\rBHS|^~\\&|A\r" + SECOND + b"BTS|1\r",
        b"FHS|^~\\&|A\r\n" + (FIRST + SECOND).replace(b"\r", b"\r\n"),
        FIRST + SECOND,
        b"\x0b" + FIRST + b"\x1c\r\x0b" + SECOND + b"\x1c\r",
        FIRST + b"\n\n" + SECOND + b"BTS\r",
    ],
)
def test_a_batch_is_cut_into_its_messages(data: bytes) -> None:
    messages = [parse(each) for each in read_batch(data).messages]
    assert [each.control_id for each in messages] == ["1", "2"]
    assert [[s.id for s in each.segments] for each in messages] == [["MSH", "PID"], ["MSH", "PID", "NTE"]]


def test_a_count_that_does_not_add_up_means_that_messages_are_lost() -> None:
    with pytest.raises(MalformedMessage):
        read_batch(b"BHS|^~\\&\r" + FIRST + b"BTS|2\r")


def test_a_batch_may_be_empty() -> None:
    assert read_batch(b"BHS|^~\\&\rBTS|0\r").messages == ()


@pytest.mark.parametrize(("data", "expected"), [(FIRST, False), (b"FHS|", True), (b"\r\nBHS|", True), (b"", False)])
def test_batches_are_recognised(data: bytes, expected: bool) -> None:
    assert is_batch(data) is expected


def test_what_is_written_is_read_again() -> None:
    written = write_batch([FIRST, SECOND], control_id="B1", time="2026")
    assert is_batch(written)
    assert read_batch(written).messages == (FIRST, SECOND)
    assert write_batch([], control_id="B1", time="2026") == b"BHS|^~\\&|||||2026||||B1\rBTS|0\r"
