"""The exception tree.

::

    XdsError
    ├── MalformedMessage       the bytes are not what their format demands
    │   └── MessageTooLarge    … because a limit was passed
    ├── UnsupportedMessage     no transaction here answers this message
    ├── RequestRejected        an actor refuses a well-formed request; .errors go on the wire
    ├── StoreUnavailable       the store cannot take work now: full, failing, closing
    ├── PeerRejected           the peer answered with a failure; .errors are its codes
    └── PeerUnreachable        connect, TLS, timeout, an answer that cannot be read

``str(error)`` never holds patient data of ours: it shows codes and locations only. That of PeerRejected, and of
PeerUnreachable when a peer's fault is its cause, quotes the peer, who may name a patient: our logs leave it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xds.vocab.ebrim import Severity
from xds.vocab.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One rs:RegistryError (ITI TF-3, 4.2.4.1).

    ``context`` becomes codeContext and may hold identifiers, so it is for the peer and never for a log.
    ``code`` is an :class:`ErrorCode`, or the text a peer sent that is none of them.
    """

    code: ErrorCode | str
    context: str = ""
    location: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.code} at {self.location}" if self.location else str(self.code)


class XdsError(Exception):
    """Root of everything this library raises on purpose."""


class MalformedMessage(XdsError):
    """The bytes are not what their format demands. The text is safe to show to the peer."""


class MessageTooLarge(MalformedMessage):
    """A limit on size, depth or count was passed."""


class UnsupportedMessage(XdsError):
    """No transaction here answers this message."""


class RequestRejected(XdsError):
    """An actor refuses a well-formed request: ``errors`` is every finding, the first one decides ``code``."""

    def __init__(
        self, code: ErrorCode, *, context: str = "", location: str = "", errors: Sequence[RegistryError] = ()
    ) -> None:
        self.errors: tuple[RegistryError, ...] = tuple(errors) or (RegistryError(code, context, location),)
        super().__init__(self.errors[0].code)

    @classmethod
    def of(cls, errors: Sequence[RegistryError]) -> RequestRejected:
        """The rejection that carries all of ``errors`` (at least one)."""
        return cls(ErrorCode.REGISTRY_ERROR, errors=errors)

    @property
    def code(self) -> ErrorCode | str:
        """The first finding's code; a peer's own text where it sent one that the Framework does not have."""
        return self.errors[0].code

    def __str__(self) -> str:
        return "; ".join(str(error) for error in self.errors)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self).of, (self.errors,))


class StoreUnavailable(XdsError):
    """The store cannot take work now: it is full, failing, closing, or its queue is at its limit."""


class PeerRejected(XdsError):
    """The peer answered with a failure; ``errors`` are what it said."""

    def __init__(self, message: str, errors: Sequence[RegistryError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class PeerUnreachable(XdsError):
    """No usable answer from the peer: connect, TLS, timeout, or bytes that are no answer."""
