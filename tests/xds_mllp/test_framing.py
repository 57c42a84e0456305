from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_mllp.framing import END, START, Broken, Framer, frame

PIECES = st.lists(
    st.sampled_from(
        [START, b"\x1c", b"\r", b"\n", END, b"MSH", b"MSH|^~\\&|A\rPID|||1\r", b"x" * 30, b"\x0bMSH|", b"FHS"]
    ),
    max_size=14,
).map(b"".join)


def run(data: bytes, cuts: list[int], *, max_size: int = 64) -> tuple[list[bytes | Broken], int, bool]:
    framer = Framer(max_size=max_size)
    out: list[bytes | Broken] = []
    last = 0
    for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        out += framer.receive(data[last:cut])
        last = cut
    return out, framer.skipped, framer.inside


@given(PIECES, st.lists(st.integers(0, 500), max_size=12))
def test_a_stream_cut_anywhere_gives_the_same_messages(data: bytes, cuts: list[int]) -> None:
    assert run(data, cuts) == run(data, []) == run(data, list(range(len(data))))


@given(st.lists(st.binary(max_size=40).filter(lambda m: b"\x1c" not in m and b"\x0b" not in m), max_size=6), st.data())
def test_framed_messages_come_out_as_they_went_in(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, messages))
    cuts = data.draw(st.lists(st.integers(0, 500), max_size=6))
    assert run(stream, cuts) == (messages, 0, False)


@pytest.mark.parametrize(
    ("stream", "messages", "skipped"),
    [
        (b"", [], 0),
        (b"\x0ba\x1c\r", [b"a"], 0),
        (b"\x0b\x1c\r", [b""], 0),
        (b"\x0ba\x1c\x0bb\x1c", [b"a", b"b"], 0),  # CR after 0x1C missing
        (b"\x0ba\x1c\n\r\n\x0bb\x1c\r\n", [b"a", b"b"], 0),
        (b"GET / HTTP/1.1\r\n\x0ba\x1c\r", [b"a"], 14),
        (b"MSH|no start\x1c\r\x0ba\x1c\r", [b"a"], 13),
        (b"\x0bMSH|no end\r", [], 0),
        (b"\x0bMSH|a vertical \x0b tab\x1c\r", [b"MSH|a vertical \x0b tab"], 0),
        (b"\x0b\x0bMSH|twice\x1c\r", [b"MSH|twice"], 0),
    ],
)
def test_what_senders_do(stream: bytes, messages: list[bytes], skipped: int) -> None:
    out, count, _ = run(stream, [])
    assert [m for m in out if isinstance(m, bytes)] == messages
    assert count == skipped


def test_a_block_that_was_not_ended_does_not_swallow_the_next_message() -> None:
    out, _, _ = run(b"\x0bMSH|first\r\x0bMSH|second\r\x1c\r", [])
    assert out == [Broken(b"MSH|first\r", "the block was not ended before the next began", False), b"MSH|second\r"]


def test_a_message_above_the_limit_is_named_by_its_head_and_the_next_one_is_served() -> None:
    big = b"MSH|" + b"x" * 100_000
    for stream in (frame(big) + frame(b"next"), frame(big)[:-1] + frame(b"next")):
        out, _, _ = run(stream, [5, 50_000], max_size=10_000)
        assert [len(m.head) if isinstance(m, Broken) else m for m in out] == [4096, b"next"]
    assert run(frame(b"x" * 64), [])[0] == [b"x" * 64]
    assert isinstance(run(frame(b"x" * 65), [])[0][0], Broken)


def test_a_message_above_the_limit_is_not_kept() -> None:
    framer = Framer(max_size=1000)
    framer.receive(START)
    for _ in range(1000):
        assert framer.receive(b"x" * 1000) == []
    assert len(framer._buffer) == 0
    assert framer.inside
