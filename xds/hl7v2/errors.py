"""Why an HL7 v2 message is not accepted, as values that become ERR segments (ITI TF-2 C.2.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xds.errors import MalformedMessage, XdsError
from xds.vocab.hl7 import AckCode, Hl7ErrorCode


@dataclass(frozen=True, slots=True)
class Location:
    """Where the fault is: ERR-2, ERL. All counts are from 1; 0 leaves the rest empty, the whole is meant."""

    segment: str
    sequence: int = 1
    field: int = 0
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0

    def parts(self) -> tuple[str, ...]:
        """The components of an ERL, without an empty tail."""
        numbers = (self.sequence, self.field, self.repetition, self.component, self.subcomponent)
        texts = [self.segment, *(str(number) if number else "" for number in numbers)]
        while texts and not texts[-1]:
            texts.pop()
        return tuple(texts)

    def __str__(self) -> str:
        return "^".join(self.parts())


@dataclass(frozen=True, slots=True)
class Hl7Error:
    """One ERR segment. ``text`` is shown to people at the sender (ERR-8): no patient data, no internals."""

    code: Hl7ErrorCode
    location: Location | None = None
    text: str = ""
    warning: bool = False  # ERR-4 W: done, with doubts; otherwise E

    def __str__(self) -> str:
        return f"{self.code.value} {self.code.text}" + (f" at {self.location}" if self.location else "")


class Hl7Rejected(XdsError):
    """A well-formed message is answered with AE or AR: ``errors`` is every finding, the first decides the code.

    ``ack_code`` overrides what table 0357 implies, for instance AR when sending again later will help.
    """

    def __init__(self, errors: Sequence[Hl7Error], *, ack_code: AckCode | None = None) -> None:
        self.errors = tuple(errors)
        self.ack_code = ack_code or self.errors[0].code.ack_code
        super().__init__("; ".join(str(error) for error in self.errors))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.errors, self.ack_code))


def _rebuild(errors: tuple[Hl7Error, ...], ack_code: AckCode) -> Hl7Rejected:
    return Hl7Rejected(errors, ack_code=ack_code)


class MalformedHl7(MalformedMessage):
    """The bytes are no HL7 v2 message, or cannot be read as its MSH-18 says; ``error`` is the ERR that answers it."""

    def __init__(self, text: str, error: Hl7Error | None = None) -> None:
        super().__init__(text)
        self.error = error or Hl7Error(Hl7ErrorCode.SEGMENT_SEQUENCE_ERROR, text=text)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (str(self), self.error))


def reject(
    code: Hl7ErrorCode, location: Location | None = None, text: str = "", *, ack_code: AckCode | None = None
) -> Hl7Rejected:
    """The exception for a single finding."""
    return Hl7Rejected([Hl7Error(code, location, text)], ack_code=ack_code)
