"""Acknowledgements: MSH, MSA, ERR in the layout of the sender's version, character set and mode (ITI TF-2 C.2.3).

::

    answers = acknowledge(read_header(message), control_id="R1", time="20260101120000+0000")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from xds.errors import MalformedMessage, PeerRejected, PeerUnreachable, RegistryError
from xds.hl7v2.er7 import Message, Segment, parse
from xds.hl7v2.errors import Hl7Error, Hl7Rejected
from xds.hl7v2.escapes import Delimiters
from xds.hl7v2.segments import Header
from xds.vocab.hl7 import AckCode, AckCondition, charset_of, codec_of

Mode = Literal["auto", "original", "enhanced"]

_DEFAULT_VERSION: Final = "2.5"
_OLD: Final = frozenset({"2.1", "2.2", "2.3", "2.3.1", "2.4"})  # ERR has one field, MSH-9 of an ACK no structure
_WITHOUT_TRIGGER: Final = frozenset({"2.1", "2.2"})  # MSH-9 is one component
_SUCCESS: Final = frozenset({AckCode.AA, AckCode.CA})


def acknowledge(
    header: Header,
    code: AckCode = AckCode.AA,
    errors: Sequence[Hl7Error] = (),
    *,
    control_id: str,
    time: str,
    mode: Mode = "auto",
) -> tuple[bytes, ...]:
    """The acknowledgements that answer a message: usually one; none when the sender wants none; two in full.

    In original mode (MSH-15 and MSH-16 empty) one application acknowledgement always goes out. In enhanced mode
    (ITI TF-2 C.2.3, HL7 2.9) MSH-15 asks for a commit and MSH-16 for an application acknowledgement. Work is finished
    before we answer, so when both are wanted ``auto`` sends the application acknowledgement only: it says more, and
    senders that fill both fields by habit read a single answer. ``enhanced`` sends both, the commit first;
    ``original`` ignores MSH-15 and MSH-16. ``code`` is AA, AE or AR.
    """
    commit, application = _wanted(header, code, mode)
    answers = []
    if commit:
        # a commit acknowledgement in front of an application one only says that the message is safe with us
        outcome = AckCode.CA if application else code.commit
        answers.append(_encode(header, outcome, () if application else errors, control_id, time))
    if application:
        answers.append(_encode(header, code, errors, f"{control_id}A" if commit else control_id, time))
    return tuple(answers)


def _wanted(header: Header, code: AckCode, mode: Mode) -> tuple[bool, bool]:
    accept, application = header.accept_acknowledgement, header.application_acknowledgement
    if mode == "original" or not (accept or application):
        return False, True
    commit, full = _asks(accept, code), _asks(application, code)
    return (commit and not full, full) if mode == "auto" else (commit, full)


def _asks(condition: str, code: AckCode) -> bool:
    """Table 0155. A value that is not in it is read as AL: an answer too many is better than none."""
    if condition in ("", AckCondition.NEVER):
        return False
    if condition == AckCondition.ERROR:
        return code not in _SUCCESS
    if condition == AckCondition.SUCCESS:
        return code in _SUCCESS
    return True


# --------------------------------------------------------------------------- writing


def _encode(header: Header, code: AckCode, errors: Sequence[Hl7Error], control_id: str, time: str) -> bytes:
    c = header.delimiters.component
    version = header.version or _DEFAULT_VERSION
    kind = "ACK"
    if header.trigger and version not in _WITHOUT_TRIGGER:
        kind = f"ACK{c}{header.trigger}" if version in _OLD else f"ACK{c}{header.trigger}{c}ACK"
    return write_answer(header, kind, code, errors, control_id=control_id, time=time)


def write_answer(
    header: Header,
    kind: str,
    code: AckCode,
    errors: Sequence[Hl7Error] = (),
    *,
    control_id: str,
    time: str,
    body: Sequence[str] = (),
    lossy: Callable[[], None] | None = None,
) -> bytes:
    """MSH, MSA, ERR and the segments of ``body`` in the sender's delimiters, version and character set.

    ``kind`` is MSH-9 as it stands. Characters that the sender's set does not have become question marks; ``lossy`` is
    called then.
    """
    d = header.delimiters
    f = d.field
    version = header.version or _DEFAULT_VERSION
    old = version in _OLD
    # the sender's names, swapped: ITI TF-2 C.2.2; mandatory for PDQ, 3.21.4.2.2.1
    msh = (
        f"MSH{f}{d.encoding_characters}{f}{header.receiving_application}{f}{header.receiving_facility}"
        f"{f}{header.sending_application}{f}{header.sending_facility}{f}{time}{f}{f}{kind}{f}{control_id}"
        f"{f}{header.processing_id or 'P'}{f}{version}"
    )
    msa = f"MSA{f}{code}{f}{header.control_id}"
    # MSA-3 is free text before 2.5; IHE wants ERR instead after it
    if errors and old:
        msa += f + d.escape_text(errors[0].text or errors[0].code.text)
    lines = (_old_err if old else _err)(errors, d) if errors else []
    text = "".join(f"\r{line}" for line in (msa, *lines, *body)) + "\r"
    charset, codec = _charset(header, msh + text)
    if charset:
        msh += f * 6 + charset
    try:
        return (msh + text).encode(codec)
    except UnicodeEncodeError:
        if lossy is not None:
            lossy()
        return (msh + text).encode(codec, "replace")


def _charset(header: Header, text: str) -> tuple[str, str]:
    """MSH-18 of the answer, and its codec: the sender's, if it can be used; announced only when it is needed."""
    declared = header.character_set
    if declared and codec_of(declared.partition(header.delimiters.repetition)[0].strip()):
        return declared, header.codec
    if text.isascii():
        return "", "ascii"
    return charset_of(header.codec) or "", header.codec


def _err(errors: Sequence[Hl7Error], d: Delimiters) -> list[str]:
    """One ERR per error, version 2.5 and later: ERR-2 location, ERR-3 code, ERR-4 severity, ERR-8 text."""
    f, c = d.field, d.component
    lines = []
    for error in errors:
        where = c.join(error.location.parts()) if error.location else ""
        what = f"{error.code.value}{c}{d.escape_text(error.code.text)}{c}HL70357"
        line = f"ERR{f}{f}{where}{f}{what}{f}{'W' if error.warning else 'E'}"
        lines.append(f"{line}{f * 4}{d.escape_text(error.text[:250])}" if error.text else line)
    return lines


def _old_err(errors: Sequence[Hl7Error], d: Delimiters) -> list[str]:
    """One ERR for all errors, before 2.5: ERR-1 repeats segment ^ sequence ^ field ^ code & text & table."""
    c, s = d.component, d.subcomponent
    repetitions = []
    for error in errors:
        parts = [*(error.location.parts() if error.location else ()), "", "", ""][:3]
        what = f"{error.code.value}{s}{d.escape_text(error.code.text)}{s}HL70357" if s else error.code.value
        repetitions.append(c.join([*parts, what]))
    return [f"ERR{d.field}{d.repetition.join(repetitions) if d.repetition else repetitions[0]}"]


# --------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement as an initiator reads it. ``errors`` are what ERR says, with codes as they were sent."""

    code: str  # MSA-1
    control_id: str  # MSA-2: the message it answers
    text: str  # MSA-3
    errors: tuple[ReportedError, ...]
    message: Message

    @property
    def accepted(self) -> bool:
        return self.code in _SUCCESS


@dataclass(frozen=True, slots=True)
class ReportedError:
    """One error of a peer: table 0357 code (or its own), its text, and the location as it was written."""

    code: str
    text: str
    location: str

    def __str__(self) -> str:
        return f"{self.code} at {self.location}" if self.location else self.code


def read_acknowledgement(data: bytes) -> Acknowledgement:
    """Read an ACK, or the MSA and ERR of a query response.

    Raises MalformedHl7 when it is no HL7 message, Hl7Rejected when it has no MSA.
    """
    message = parse(data, replace=True)
    msa = message["MSA"]
    errors = [error for segment in message.all("ERR") for error in _read_err(segment)]
    return Acknowledgement(msa.raw(1).strip(), msa.raw(2), str(msa[3]), tuple(errors), message)


def answer_to(control_id: str, data: bytes) -> Acknowledgement:
    """The answer to the message with this MSH-10: an ACK, or the MSA and ERR of a response.

    Raises PeerUnreachable when it is none, or answers another message: who sent ours cannot know what became of it.
    """
    try:
        answer = read_acknowledgement(data)
    except (MalformedMessage, Hl7Rejected):
        raise PeerUnreachable("the answer is no acknowledgement") from None
    # an answer to what the peer could not read may leave MSA-2 empty
    if answer.control_id != control_id and (answer.accepted or answer.control_id):
        raise PeerUnreachable("the answer belongs to another message")
    return answer


def refusal_of(answer: Acknowledgement) -> PeerRejected:
    """What MSA-1 and ERR of an answer that is not AA or CA say."""
    errors = [RegistryError(error.code, location=error.location) for error in answer.errors]
    codes = ", ".join(map(str, answer.errors)) or "no reason given"
    return PeerRejected(f"{answer.code}: {codes}", errors)


def _read_err(segment: Segment) -> list[ReportedError]:
    if segment.raw(3):  # 2.5 and later
        code = segment[3]
        return [ReportedError(code[1], str(segment[8]) or code[2], segment.raw(2))]
    found = []
    for repetition in segment[1].repetitions:
        parts = [*repetition.subcomponents(4), "", ""]
        where = "^".join(text for n in (1, 2, 3) if (text := repetition[n]))
        found.append(ReportedError(parts[0], parts[1], where))
    return found


__all__ = [
    "Acknowledgement",
    "Mode",
    "ReportedError",
    "acknowledge",
    "answer_to",
    "read_acknowledgement",
    "refusal_of",
    "write_answer",
]
