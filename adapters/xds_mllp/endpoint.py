"""One HL7 v2 message in, its answer out: bytes on both sides, no socket (ITI TF-2 C.2).

For an engine that has its own MLLP listener::

    endpoint = Endpoint([registry])
    for answer in endpoint.respond(message):    # usually one, none when MSH-15 and MSH-16 say never
        connection.send(frame(answer))

Nothing that comes in makes it raise: every message is answered with AA, AE or AR.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import Lock
from typing import Any, Final, Protocol

from xds.datatypes.prometheus import counter
from xds.datatypes.time import utc_now
from xds.datatypes.tolerances import Tolerances
from xds.errors import (
    MalformedMessage,
    MessageTooLarge,
    PeerUnreachable,
    RequestRejected,
    StoreUnavailable,
    UnsupportedMessage,
    XdsError,
)
from xds.hl7v2.ack import acknowledge
from xds.hl7v2.batch import is_batch, read_batch, write_batch
from xds.hl7v2.control import control_ids as new_control_ids
from xds.hl7v2.control import time_of
from xds.hl7v2.er7 import Message, parse
from xds.hl7v2.errors import Hl7Error, Hl7Rejected, Location, MalformedHl7, reject
from xds.hl7v2.feeds import Feed, Feeds
from xds.hl7v2.segments import Header, read_header, salvage_header
from xds.ports import Clock
from xds.transactions.base import Hl7v2Reply, Hl7v2Request, Hl7v2Transaction
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.vocab.errors import TRY_AGAIN, ErrorCode
from xds.vocab.hl7 import PROCESSING_IDS, AckCode, Hl7ErrorCode
from xds_mllp.framing import Broken

_log: Final = logging.getLogger("xds_mllp")

Answer = tuple[bytes, ...]

_VERSION: Final = re.compile(r"2(\.\d{1,2}){0,3}")
_TRIGGER: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_PROCESSING: Final = frozenset({*PROCESSING_IDS, ""})
# messages that tell something: who sends them goes on when they are acknowledged without effect
_NOTIFICATIONS: Final = frozenset({"ADT", "MDM", "ORU"})
# answering an acknowledgement would start a conversation without end (HL7 2.9.2)
_ACKNOWLEDGEMENTS: Final = frozenset({"ACK", "MCF"})


class Pending:
    """An answer that is known when ``future`` is done."""

    __slots__ = ("_data", "_endpoint", "_request", "_row", "future")

    def __init__(
        self, endpoint: Endpoint, data: bytes, row: Hl7v2Transaction, request: Hl7v2Request, future: Future[Any]
    ) -> None:
        self._endpoint = endpoint
        self._data = data
        self._row = row
        self._request = request
        self.future = future

    def answer(self) -> Answer:
        """The answer; call it when ``future`` is done. Does not raise."""
        return self._endpoint.done(self._data, self._row, self._request, self.future)

    def wait(self, timeout: float | None = None) -> Answer:
        """Wait for it. TimeoutError only when ``timeout`` seconds are given."""
        with suppress(CancelledError):
            self.future.exception(timeout)
        return self.answer()


class Bury(Protocol):
    """Keeps a message that was refused. The Future is done when it is on disk."""

    def __call__(self, message: bytes, *, sender: str, control_id: str, reason: str) -> Future[Any]: ...


class Endpoint:
    """Answers HL7 v2 messages on behalf of the actors of a server. Thread-safe.

    ``feeds`` says what was agreed with which sender; ``application`` and ``facility`` are our names (MSH-3, MSH-4) in
    answers to what is no message at all, everything else is answered under the name it was sent to. ``bury`` keeps the
    notifications that are answered AE, as they came, for people to look at: their senders will not send them again.
    """

    def __init__(
        self,
        actors: Sequence[object],
        *,
        feeds: Feeds | None = None,
        application: str = "XDS",
        facility: str = "",
        transactions: Sequence[Hl7v2Transaction] = HL7V2_TRANSACTIONS,
        clock: Clock = utc_now,
        control_ids: Callable[[], str] | None = None,
        bury: Bury | None = None,
    ) -> None:
        self._bury = bury
        self._actors = tuple(actors)
        self._feeds = feeds or Feeds()
        self._nobody = Header(receiving_application=application, receiving_facility=facility)
        self._transactions = {
            (row.binding.message_type, trigger): row for row in transactions for trigger in row.binding.triggers
        }
        self._types = frozenset(row.binding.message_type for row in transactions)
        self._clock = clock
        self._control_id = control_ids or new_control_ids()
        self._counts: Counter[str] = Counter()
        self._tolerances = Tolerances(_log)
        self._lock = Lock()

    @property
    def counts(self) -> dict[str, int]:
        """How many answers of each code went out, and ``unknown trigger …``: messages accepted without effect."""
        with self._lock:
            return {**self._counts, **self._tolerances.counts()}

    def metrics(self) -> str:
        """The counters in the Prometheus text format, version 0.0.4."""
        counts = self.counts
        codes = {code: counts.pop(code) for code in map(str, AckCode) if code in counts}
        lines = (
            *counter("xds_hl7v2_answers_total", "Acknowledgements of HL7 v2 messages by MSA-1.", "code", codes),
            *counter("xds_hl7v2_tolerated_total", "What was not as agreed, and how often.", "what", counts),
        )
        return "\n".join(lines) + "\n"

    def respond(self, data: bytes, *, timeout: float | None = None) -> Answer:
        """The answer to one message, which is on disk by then. TimeoutError only when ``timeout`` seconds are given."""
        answer = self.start(data)
        return answer.wait(timeout) if isinstance(answer, Pending) else answer

    def start(self, data: bytes) -> Answer | Pending:
        """As ``respond``, but does not wait for the disk: the answer, or where it will come from."""
        if is_batch(data):
            return self._batch(data)
        feed = self._feeds.of_bytes(data)
        header: Header | None = None
        row: Hl7v2Transaction | None = None
        request: Hl7v2Request | None = None
        try:
            message = parse(data, fallbacks=feed.default_charsets, replace=feed.undecodable == "replace")
            header = read_header(message)
            if message.lenient:
                self.tolerated("character set guessed", header.sending_application[:40])
            if header.message_type in _ACKNOWLEDGEMENTS:
                self._count("unexpected acknowledgement")
                return ()
            row = self._dispatch(header, feed)
            if row is None:
                return self._answer(header, feed, AckCode.AA)
            request = Hl7v2Request(message, header, feed, self._clock(), self.tolerated)
            if feed.strict:
                _validate(message)
            result = row.perform(self._actors, row.decode_request(request))
            if isinstance(result, Future):
                return Pending(self, data, row, request, result)
            return self.done(data, row, request, result)
        except Exception as error:  # noqa: BLE001  # the one place that turns every error into an answer
            return self._failed(data, header, feed, error, row, request)

    def refuse(self, broken: Broken) -> Answer:
        """The answer to a block that the framing could not deliver whole."""
        _log.warning("a block was refused: %s", broken.reason)
        if not broken.answerable:
            self._count("broken off")
            return ()
        header = salvage_header(broken.head)
        error = Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, text=broken.reason)
        return self._answer(header if header.control_id else self._nobody, self._feeds.default, AckCode.AR, [error])

    # ----------------------------------------------------------------- one message

    def _dispatch(self, header: Header, feed: Feed) -> Hl7v2Transaction | None:
        """The transaction for MSH-9; None for a trigger that is accepted without effect. Refuses by MSH alone."""
        row = self._transactions.get((header.message_type, header.trigger))
        if header.version and not _VERSION.fullmatch(header.version):
            raise reject(Hl7ErrorCode.UNSUPPORTED_VERSION_ID, Location("MSH", 1, 12))
        if header.processing_id.partition(header.delimiters.component)[0].strip() not in _PROCESSING:
            raise reject(Hl7ErrorCode.UNSUPPORTED_PROCESSING_ID, Location("MSH", 1, 11))
        if row is not None:
            return row
        if not header.message_type:
            raise reject(Hl7ErrorCode.REQUIRED_FIELD_MISSING, Location("MSH", 1, 9))
        if header.message_type not in self._types:  # ITI TF-2 C.2.3
            raise reject(Hl7ErrorCode.UNSUPPORTED_MESSAGE_TYPE, Location("MSH", 1, 9, 1, 1))
        if feed.unknown_triggers == "reject" or header.message_type not in _NOTIFICATIONS:
            raise reject(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2))
        trigger = header.trigger if _TRIGGER.fullmatch(header.trigger) else "?"
        self.tolerated(f"unknown trigger {header.message_type}^{trigger}", header.sending_application[:40])
        return None

    def done(self, data: bytes, row: Hl7v2Transaction, request: Hl7v2Request, result: Any) -> Answer:
        """The answer to a request whose work is finished; ``result`` may be its Future."""
        try:
            value = result
            if isinstance(result, Future):
                # raised here, the error would hold this call, and this call the Future that holds the error
                if (refused := result.exception()) is not None:
                    return self._failed(data, request.header, request.feed, refused, row, request)
                value = result.result()
            if row.encode_response is not None:
                answer = row.encode_response(request, value, Hl7v2Reply(self._control_id(), self._time()))
                self._count(AckCode.AA)
                return (answer,)
            return self._answer(request.header, request.feed, AckCode.AA)
        except (Exception, CancelledError) as error:  # noqa: BLE001  # whatever became of it, its sender gets an answer
            return self._failed(data, request.header, request.feed, error, row, request)

    def _answer(self, header: Header, feed: Feed, code: AckCode, errors: Sequence[Hl7Error] = ()) -> Answer:
        self._count(code)
        return acknowledge(
            header, code, errors, control_id=self._control_id(), time=self._time(), mode=feed.acknowledgement
        )

    def _failed(
        self,
        data: bytes,
        header: Header | None,
        feed: Feed,
        error: BaseException,
        row: Hl7v2Transaction | None = None,
        request: Hl7v2Request | None = None,
    ) -> Answer:
        """The exception tree as AE or AR with ERR (ITI TF-2 C.2.3.1)."""
        if row is not None and request is not None and row.explain is not None:
            error = row.explain(request, error) or error
        if header is None:
            header = salvage_header(data)
        if not header.control_id and not header.message_type:
            header = header if header.sending_application else self._nobody
            self._count("malformed")
        code, errors = _explain(error, AckCode.AR if header is self._nobody else None)
        if errors is None:
            _log.error(
                "message %.40r failed with %s\n%s",
                header.control_id,
                type(error).__qualname__,
                "".join(traceback.format_tb(error.__traceback__)),  # never the text: it may hold patient data
            )
            errors = (Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR),)
        else:
            _log.info("message %.40r answered %s: %s", header.control_id, code, "; ".join(map(str, errors)))
        if row is not None and request is not None and row.encode_failure is not None:
            reply = Hl7v2Reply(self._control_id(), self._time(), code, errors)
            response = row.encode_failure(request, reply)
            if response is not None:
                self._count(code)
                return (response,)
        if code is AckCode.AE and header.message_type in _NOTIFICATIONS and self._bury is not None:
            self._keep(data, header, errors)
        return self._answer(header, feed, code, errors)

    def _keep(self, data: bytes, header: Header, errors: Sequence[Hl7Error]) -> None:
        """The answer does not wait for it: that the message is refused is true whether or not it is kept."""
        assert self._bury is not None
        sender = f"{header.sending_application}|{header.sending_facility}"
        reason = "; ".join(map(str, errors))
        try:
            kept = self._bury(data, sender=sender, control_id=header.control_id, reason=reason)
        except XdsError as error:
            _log.warning("a refused message is not kept: %s", error)
        else:
            kept.add_done_callback(_kept)

    # ----------------------------------------------------------------- batches

    def _batch(self, data: bytes) -> Answer:
        """A batch is answered by a batch of the acknowledgements, in the same order (HL7 2.10.3)."""
        try:
            batch = read_batch(data)
        except MalformedMessage as error:
            return self._failed(b"", None, self._feeds.default, error)  # no single message is to blame
        answers = [answer for message in batch.messages for answer in self.respond(message)]
        return (write_batch(answers, control_id=self._control_id(), time=self._time()),) if answers else ()

    def _time(self) -> str:
        return time_of(self._clock())

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def tolerated(self, what: str, peer: str | None = None) -> None:
        """Note that something was taken which is not as agreed; said in the log now and then."""
        self._tolerances.count((what,), peer)


def _kept(done: Future[Any]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.warning(
            "a refused message is not kept: %s", error if isinstance(error, XdsError) else type(error).__name__
        )


def _explain(error: BaseException, at_least: AckCode | None = None) -> tuple[AckCode, tuple[Hl7Error, ...] | None]:
    """MSA-1 and the ERR segments for an exception; None instead of errors when it is a fault of ours."""
    if isinstance(error, Hl7Rejected):
        return error.ack_code, error.errors
    if isinstance(error, MalformedHl7):
        return at_least or error.error.code.ack_code, (error.error,)
    if isinstance(error, MessageTooLarge):
        return AckCode.AR, (Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, text=str(error)),)
    if isinstance(error, MalformedMessage):
        return at_least or AckCode.AE, (Hl7Error(Hl7ErrorCode.DATA_TYPE_ERROR, text=str(error)),)
    if isinstance(error, RequestRejected):
        if error.code is ErrorCode.UNKNOWN_PATIENT_ID:
            return AckCode.AE, (Hl7Error(Hl7ErrorCode.UNKNOWN_KEY_IDENTIFIER),)
        code = AckCode.AR if error.code in TRY_AGAIN else AckCode.AE
        return code, (Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, text=str(error)),)
    if isinstance(error, UnsupportedMessage):
        return AckCode.AR, (Hl7Error(Hl7ErrorCode.UNSUPPORTED_EVENT_CODE, Location("MSH", 1, 9, 1, 2), str(error)),)
    if isinstance(error, StoreUnavailable | PeerUnreachable):  # the sender may try again later
        return AckCode.AR, (Hl7Error(Hl7ErrorCode.APPLICATION_INTERNAL_ERROR, text="try again later"),)
    return AckCode.AE, None


def _validate(message: Message) -> None:
    from xds.hl7v2.strict import validate  # hl7apy takes a second to load, and few feeds are strict

    errors = validate(message)
    if errors:
        raise Hl7Rejected(errors)
