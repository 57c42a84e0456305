"""The WSGI application (PEP 3333), for hosts that are not ASGI: one thread per request, the same endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol
from wsgiref.util import request_uri

from xds_soap import reply
from xds_soap.endpoint import SoapEndpoint, described, is_wsdl, too_large
from xds_soap.reply import SoapReply

# PEP 3333: a dictionary of strings, streams and flags
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

_PIECE = 256 * 1024
# the HTTP headers that the endpoint reads, and their names in PEP 3333
_HEADERS: Final = {
    "soapaction": "HTTP_SOAPACTION",
    "content-encoding": "HTTP_CONTENT_ENCODING",
    "forwarded": "HTTP_FORWARDED",
    "x-forwarded-for": "HTTP_X_FORWARDED_FOR",
}


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


class WsgiApp:
    """WSGI application over a :class:`SoapEndpoint`. A submission holds its thread until it is on disk."""

    def __init__(self, endpoint: SoapEndpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        phrase = HTTPStatus(answer.status).phrase
        start_response(f"{answer.status} {phrase}", [(name, value) for name, value in answer.headers])
        return answer.chunks

    def _answer(self, environ: Environ) -> SoapReply:
        path = environ.get("PATH_INFO", "").rstrip("/") or "/"
        method = environ["REQUEST_METHOD"]
        if path in self._endpoint.paths and method == "GET" and is_wsdl(environ.get("QUERY_STRING", "")):
            return described(self._endpoint, path, request_uri(environ, include_query=False))
        if path in self._endpoint.paths and method != "POST":
            return reply.plain(405, "SOAP requests are POSTed\n", (("Allow", "POST"),))
        size = environ.get("CONTENT_LENGTH") or ""
        if not size.isdecimal() and not environ.get("wsgi.input_terminated"):
            return reply.plain(411, "a Content-Length is needed\n")
        length = int(size) if size.isdecimal() else None
        if length is not None and (refused := too_large(length, self._endpoint.limits)):
            return refused
        headers = {name: environ[variable] for name, variable in _HEADERS.items() if variable in environ}
        return self._endpoint.handle(
            path,
            environ.get("CONTENT_TYPE", ""),
            _pieces(environ["wsgi.input"], length),
            headers=headers,
            peer=environ.get("REMOTE_ADDR"),
        )


def _pieces(stream: _Input, length: int | None) -> Iterator[bytes]:
    """The body; a stream that ends before its Content-Length is a client that went away."""
    left = length
    while left is None or left > 0:
        piece = stream.read(_PIECE if left is None else min(_PIECE, left))
        if not piece:
            if left is None:
                return
            raise ConnectionError("the request is cut off")
        if left is not None:
            left -= len(piece)
        yield piece
