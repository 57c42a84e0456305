"""One SOAP request on its way: from the bytes of its body to the actor, and from the actor's result to an answer."""

from __future__ import annotations

import logging
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, Protocol

from lxml import etree

from xds.errors import (
    MalformedMessage,
    MessageTooLarge,
    PeerRejected,
    PeerUnreachable,
    RegistryError,
    RequestRejected,
    StoreUnavailable,
    UnsupportedMessage,
    XdsError,
)
from xds.ports import Stage
from xds.transactions.base import SoapRequest, Transaction
from xds.vocab.errors import ErrorCode
from xds_soap import faults, reply
from xds_soap.addressing import NONE, Headers
from xds_soap.envelope import Envelope, read
from xds_soap.faults import SoapFault
from xds_soap.limits import Limits, Quota, check
from xds_soap.metrics import Metrics
from xds_soap.mtom import PackageReader
from xds_soap.reply import Addressed, SoapReply
from xds_soap.staging import Staging

log = logging.getLogger("xds_soap")

_BUSY: Final = {
    ErrorCode.REGISTRY_ERROR: ErrorCode.REGISTRY_BUSY,
    ErrorCode.REPOSITORY_ERROR: ErrorCode.REPOSITORY_BUSY,
}


class ReplyDelivery(Protocol):
    """Sends answers to a ReplyTo address; ``xds_soap.delivery`` implements it."""

    def allows(self, address: str, peer: str | None) -> bool:
        """Whether an answer may be sent to this address, on behalf of the host that asks."""

    def send(self, address: str, answer: SoapReply) -> None:
        """Queue the answer. Does not wait for it to arrive."""


@dataclass(frozen=True, slots=True)
class Route:
    """An action, answered by an actor of ours."""

    transaction: Transaction
    actor: Any  # an actor object; only ``transaction.perform`` knows its class


@dataclass(frozen=True, slots=True)
class Services:
    """What all calls of an endpoint share."""

    stage: Callable[[], Stage]
    limits: Limits
    early: Quota
    metrics: Metrics
    clock: Callable[[], float]
    delivery: ReplyDelivery | None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is known before the body: the Content-Type taken apart, the action HTTP names, the client's address."""

    kind: str
    parameters: Mapping[str, str]
    action: str = ""
    gzip: bool = False
    peer: str | None = None


class Call:
    """One request: fed with its body, then answered. Used by one thread at a time; ``close`` ends it in any case."""

    def __init__(self, services: Services, routes: Mapping[str, Route], http: HttpRequest) -> None:
        self._services = services
        self._routes = routes
        self._http = http
        self._staging = Staging(services.stage)
        self._package: PackageReader | None = None
        if http.kind == "multipart/related":
            self._package = PackageReader(
                http.parameters, self._staging, services.limits, services.early, on_root=self._open
            )
        self._inflate = _Inflater() if http.gzip else None
        self._plain = BytesIO()  # its value is taken without a second copy
        self._size = 0
        self._started = services.clock()
        self._headers = Headers()
        self._opened: tuple[Envelope, Route] | None = None
        self._transaction: Transaction | None = None
        self._reply_to: str | None = None  # set when the answer is a message of its own
        self._tolerated: list[str] = ["content_type"] if http.kind in {"text/xml", "application/xml"} else []

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body. Raises XdsError when it cannot go on: ``refuse`` it then."""
        if self._inflate is None:
            self._take(data)
        else:
            for piece in self._inflate.feed(data):
                self._take(piece)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        limits = self._services.limits
        check(self._size, limits.request, "the request")
        if self._package is not None:
            self._package.feed(data)
        else:
            check(self._size, limits.envelope, "the SOAP envelope")
            self._plain.write(data)

    def answer(self) -> SoapReply | Pending:
        """The body is complete: read it and let the actor work. Pending: its result is not on disk yet."""
        self._started = self._services.clock()
        try:
            route, payload, request = self._understand()
        except Exception as error:  # noqa: BLE001 - the one place that turns what went wrong into SOAP
            return self.refuse(error)
        if self._staging.hand_over(payload):
            self._tolerated.append("part_not_included")
        try:
            result = route.transaction.perform(route.actor, request)
            if isinstance(result, Future):
                return Pending(result, self)
            return self.succeed(result)
        except Exception as error:  # noqa: BLE001 - likewise
            return self.fail(error)

    def close(self) -> None:
        """Discard what no actor has taken, and give back what was lent."""
        self._staging.discard()
        if self._package is not None:
            self._package.release()

    # ------------------------------------------------------------------- from bytes to the actor's argument

    def _finish(self) -> None:
        """The body has ended: was it whole?"""
        if self._inflate is not None:
            self._inflate.close()
        if self._package is not None:
            self._package.close()

    def _understand(self) -> tuple[Route, etree._Element, Any]:
        self._finish()
        envelope, route = self._opened or self._open()
        self._opened = None  # the tree must not wait for the disk with its request
        payload = envelope.only_child()
        binding = route.transaction.binding
        if payload.tag != binding.body:
            action = self._headers.action or ""
            raise SoapFault(
                faults.ACTION_MISMATCH,
                "the action does not fit the element in the SOAP body",
                detail=faults.problem_action(action),
            )
        self._transaction = route.transaction
        if binding.mtom != (self._package is not None):
            self._tolerated.append("no_mtom" if binding.mtom else "mtom_not_expected")
        request = route.transaction.decode_request(SoapRequest(payload, self._staging.parts, self._staging))
        return route, payload, request

    def _open(self) -> tuple[Envelope, Route]:
        """Read the envelope and find who answers; for a package before its documents, which may be for nobody."""
        envelope = self._envelope()
        self._headers = envelope.headers
        self._opened = envelope, self._route(envelope)
        return self._opened

    def _envelope(self) -> Envelope:
        limit = self._services.limits.envelope
        if self._package is not None:
            return read(self._package.root, max_size=limit)
        plain, self._plain = self._plain.getvalue(), BytesIO()
        return read(plain, encoding=self._http.parameters.get("charset"), max_size=limit)

    def _route(self, envelope: Envelope) -> Route:
        headers = envelope.headers
        if headers.action is None and self._http.action:
            headers.action = self._http.action
            self._tolerated.append("action_outside_envelope")
        headers.check()
        if not headers.synchronous:
            self._answer_elsewhere(headers)
        if not headers.message_id:
            self._tolerated.append("no_message_id")
        if headers.reply_to is None:
            self._tolerated.append("no_reply_to")
        if headers.security:
            self._tolerated.append("security_header")
        if headers.blanks:
            self._tolerated.append("blanks_in_address")
        return self._find(headers.action or "")

    def _find(self, action: str) -> Route:
        route = self._routes.get(action)
        if route is None and action.endswith("Async"):
            # older senders of asynchronous requests append it
            route = self._routes.get(action.removesuffix("Async"))
            self._tolerated.append("async_action")
        if route is None:
            raise SoapFault(
                faults.ACTION_NOT_SUPPORTED, "nobody answers this action here", detail=faults.problem_action(action)
            )
        return route

    def _answer_elsewhere(self, headers: Headers) -> None:
        """The asynchronous exchange (ITI TF-2, V.5): the answer is a POST of its own to ReplyTo."""
        delivery = self._services.delivery
        address = headers.reply_to or ""
        if address != NONE and (delivery is None or not delivery.allows(address, self._http.peer)):
            raise SoapFault(
                faults.ONLY_ANONYMOUS,
                "answers are not sent to this ReplyTo address",
                detail=faults.problem_header("ReplyTo"),
            )
        self._reply_to = address

    # ------------------------------------------------------------------- from the actor's result to bytes

    def succeed(self, result: Any) -> SoapReply:
        """The transaction's answer. Called once, also from another thread than the one that called the actor."""
        transaction = self._transaction
        assert transaction is not None
        answer, target = transaction.encode_response(result), self._target()
        built = reply.build(target, transaction.binding.response_action, answer.body, answer.parts)
        return self._done("answered", target, built)

    def fail(self, error: BaseException) -> SoapReply:
        """The transaction's answer to what the actor raised: a response with errors, never a fault."""
        transaction = self._transaction
        assert transaction is not None
        errors = self._errors(error, ErrorCode(transaction.internal_error))
        answer, target = transaction.encode_failure(errors), self._target()
        built = reply.build(target, transaction.binding.response_action, answer.body, answer.parts)
        return self._done(_outcome(error), target, built)

    def refuse(self, error: BaseException) -> SoapReply:
        """The answer to a request that no actor has seen. Everything staged is discarded."""
        self._staging.discard()
        if self._transaction is not None and not isinstance(error, MalformedMessage | SoapFault | UnsupportedMessage):
            return self.fail(error)
        target = self._target(fault=True)
        return self._done("fault", target, reply.fault(target, self._fault(error)))

    def _fault(self, error: BaseException) -> SoapFault:
        if isinstance(error, SoapFault):
            return error
        if isinstance(error, MessageTooLarge):
            return SoapFault(faults.TOO_LARGE, str(error))
        if isinstance(error, MalformedMessage | UnsupportedMessage):
            return SoapFault(faults.SENDER, str(error))
        if isinstance(error, StoreUnavailable):
            return SoapFault(faults.UNAVAILABLE, "the store cannot take work now")
        self._log_bug(error)
        return SoapFault(faults.RECEIVER, "internal error")

    def _errors(self, error: BaseException, internal: ErrorCode) -> Sequence[RegistryError]:
        if isinstance(error, RequestRejected):
            return error.errors
        if isinstance(error, PeerRejected) and error.errors:
            return error.errors
        if isinstance(error, StoreUnavailable):
            return (RegistryError(_BUSY.get(internal, internal), "the store cannot take work now"),)
        if isinstance(error, PeerUnreachable):
            return (RegistryError(ErrorCode.REGISTRY_NOT_AVAILABLE, "another system did not answer"),)
        self._log_bug(error)
        return (RegistryError(internal, "internal error"),)

    def _log_bug(self, error: BaseException) -> None:
        """Where it happened, once. The text of a foreign exception may quote the message, and what a peer says may
        name a patient: they stay out of the log."""
        number = self._transaction.number if self._transaction else "SOAP"
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f": {error}" if isinstance(error, XdsError) and not isinstance(error, PeerRejected) else ""
        message_id = (self._headers.message_id or "")[:100]
        log.error("%s failed, message %r\n%s%s%s", number, message_id, frames, type(error).__name__, text)

    def _target(self, *, fault: bool = False) -> Addressed:
        headers = self._headers
        relates_to = headers.message_id if headers.action is None else headers.relation
        return Addressed(self._package is not None, relates_to, self._destination(fault=fault))

    def _destination(self, *, fault: bool) -> str | None:
        """The address of an answer that does not go back on this connection; a fault goes to FaultTo, else ReplyTo."""
        fault_to = self._headers.fault_to
        if self._reply_to is None or not fault or not fault_to:
            return self._reply_to
        delivery = self._services.delivery
        return fault_to if delivery is not None and delivery.allows(fault_to, self._http.peer) else self._reply_to

    def _done(self, outcome: str, target: Addressed, built: SoapReply) -> SoapReply:
        services = self._services
        number = self._transaction.number if self._transaction else "none"
        services.metrics.count(number, outcome, services.clock() - self._started)
        if self._package is not None:
            self._tolerated += self._package.tolerated
        if self._tolerated:
            services.metrics.tolerances.count(dict.fromkeys(self._tolerated), self._http.peer)
        if target.to is None:
            return built
        if target.to != NONE and services.delivery is not None:
            services.delivery.send(target.to, built)
        return reply.plain(202)


def _outcome(error: BaseException) -> str:
    if isinstance(error, RequestRejected | PeerRejected):
        return "rejected"
    return "unavailable" if isinstance(error, StoreUnavailable | PeerUnreachable) else "failed"


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that is ready when ``future`` is done."""

    future: Future[Any]
    call: Call

    def finish(self) -> SoapReply:
        """The answer; waits when ``future`` is not done."""
        try:
            error = self.future.exception()  # raised, it would hold this call, and this call the Future that holds it
            return self.call.succeed(self.future.result()) if error is None else self.call.fail(error)
        except Exception as error:  # noqa: BLE001 - what the actor raised becomes an answer
            return self.call.fail(error)


class _Inflater:
    """Undoes Content-Encoding gzip in pieces of bounded size, so that the limits see what a small body grows to."""

    _PIECE = 256 * 1024

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data and not self._inflate.eof:
                yield self._inflate.decompress(data, self._PIECE)
                data = self._inflate.unconsumed_tail
        except zlib.error:
            raise MalformedMessage("the gzip encoding of the request is broken") from None

    def close(self) -> None:
        if not self._inflate.eof:
            raise MalformedMessage("the gzip encoding of the request is cut off")
