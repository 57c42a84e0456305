"""Answers as messages of their own: the asynchronous exchange of WS-Addressing (ITI TF-2, V.5).

A ReplyTo address is a URL that a stranger chose: posting to it is only done for hosts that were allowed. An answer
waits in memory and is tried several times; it does not survive the end of the process. The work it tells about does.
"""

from __future__ import annotations

import fnmatch
import logging
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import httpx

from xds_soap.reply import SoapReply

log = logging.getLogger("xds_soap")

_PORTS: Final = {"http": 80, "https": 443}
_FIRST_PAUSE: Final = 1.0  # seconds; each next one is four times as long


class HttpReplyDelivery:
    """Posts answers to ReplyTo addresses.

    ``allow`` names hosts, ``host`` or ``host:port``, with ``*`` as a wildcard: ``("his.example", "*.clinic.example")``.
    ``same_host`` also allows the host the request came from, given as its IP address. Of a request that a proxy passed
    on (Forwarded, X-Forwarded-For) that is not known, and nothing is allowed by it; leave it off behind a proxy that
    adds neither header. Without ``allow`` and ``same_host`` nothing is allowed.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        same_host: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 30.0,
        attempts: int = 5,
        threads: int = 2,
        max_waiting: int = 1000,
    ) -> None:
        self._allow = tuple(pattern.lower() for pattern in allow)
        self._same_host = same_host
        self._attempts = attempts
        self._http = httpx.Client(
            timeout=timeout,
            verify=ssl_context if ssl_context is not None else True,
            trust_env=False,
            follow_redirects=False,
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="xds-reply")
        self._closing = threading.Event()
        self._free = threading.BoundedSemaphore(max_waiting)

    def allows(self, address: str, peer: str | None) -> bool:
        """Whether an answer may go to this URL."""
        try:
            url = urlsplit(address)
            host, port = (url.hostname or "").lower(), url.port
        except ValueError:
            return False
        if url.scheme not in _PORTS or not host or url.username is not None:
            return False
        if self._same_host and peer is not None and host == peer.lower():
            return True
        names = (host, f"{host}:{port or _PORTS[url.scheme]}")
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._allow for name in names)

    def send(self, address: str, answer: SoapReply) -> None:
        """Queue an answer."""
        if not self._free.acquire(blocking=False):
            log.error("an asynchronous answer is dropped: too many are waiting")
            return
        try:
            self._pool.submit(self._deliver, address, answer)
        except RuntimeError:
            self._free.release()
            log.error("an asynchronous answer is dropped: the server is stopping")

    def close(self) -> None:
        """Try what waits once more at most, then stop."""
        self._closing.set()
        self._pool.shutdown(wait=True)
        self._http.close()

    def _deliver(self, address: str, answer: SoapReply) -> None:
        try:
            self._attempt(address, answer)
        finally:
            self._free.release()

    def _attempt(self, address: str, answer: SoapReply) -> None:
        # what is read from the store while it is sent can only be read once
        attempts = self._attempts if isinstance(answer.chunks, list) else 1
        pause = _FIRST_PAUSE
        for attempt in range(1, attempts + 1):
            if (problem := self._post(address, answer)) is None:
                return
            if attempt == attempts or self._closing.wait(pause):
                break
            pause *= 4
        log.error("an asynchronous answer could not be delivered: %s", problem)

    def _post(self, address: str, answer: SoapReply) -> str | None:
        """Post once; what went wrong, or None."""
        try:
            response = self._http.post(address, headers=list(answer.headers), content=iter(answer.chunks))
        except Exception as error:  # noqa: BLE001 - a thread of its own: whatever happens is logged and tried again
            return type(error).__name__
        return None if response.is_success else f"HTTP {response.status_code}"
