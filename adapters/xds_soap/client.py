"""The SOAP client: one request out, one answer in, documents as streams both ways (implements ``ports.Exchange``)."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final

import httpx
from lxml import etree

from xds.ebxml import xml
from xds.errors import MalformedMessage, PeerRejected, PeerUnreachable
from xds.ports import IncomingResponse, OutgoingRequest, Stage
from xds.vocab.namespaces import SOAP, SOAP11
from xds_soap import envelope, faults
from xds_soap.addressing import collect
from xds_soap.limits import MIB, Limits, Quota, check
from xds_soap.mime import parse_header
from xds_soap.mtom import PackageReader, Piece, length, package, stream
from xds_soap.reply import SOAP_TYPE
from xds_soap.staging import Staging
from xds_soap.temporary import TemporaryStage

log = logging.getLogger("xds_soap")

# an answer was asked for, so it may be larger than a request; a query result has 200 tags per DocumentEntry
ANSWER_LIMITS: Final = Limits(envelope=256 * MIB, request=2**40, early_parts=2**40, early_parts_total=2**40)
_MAX_TAGS: Final = 10_000_000
_PIECE: Final = 256 * 1024
_SOAP_VERSIONS: Final = (SOAP, SOAP11)


class SoapExchange:
    """Sends SOAP 1.2 requests to one endpoint (ITI TF-2 Appendix V). Thread-safe; connections are kept and reused.

    ``timeout`` is seconds without progress: to connect, between two pieces of the answer. ``ssl_context`` carries the
    trusted authorities and, for mutual TLS, our certificate. Proxies of the environment are not used unless
    ``trust_env``; redirects are never followed. Nothing is sent twice. ``stage`` makes the places for documents of the
    answer; large ones are temporary files, which ``xds.clients.documents`` removes with the document.

    Raises PeerUnreachable when there is no answer that can be read, PeerRejected for a fault or an HTTP refusal.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        stage: Callable[[], Stage] = TemporaryStage,
        trust_env: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._stage = stage
        self._http = httpx.Client(
            timeout=timeout,
            verify=ssl_context if ssl_context is not None else True,
            headers=headers,
            trust_env=trust_env,
            follow_redirects=False,
            transport=transport,
        )

    def __enter__(self) -> SoapExchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Documents that were received stay."""
        self._http.close()

    def __call__(self, request: OutgoingRequest) -> IncomingResponse:
        message_id = envelope.new_message_id()
        kind, pieces = self._pieces(request, message_id)
        headers = {"Content-Type": kind, "Accept": "multipart/related, application/soap+xml"}
        size = length(pieces)
        if size is not None:
            headers["Content-Length"] = str(size)
        try:
            with self._http.stream("POST", self.url, content=stream(pieces), headers=headers) as response:
                return self._read(response, message_id)
        except httpx.HTTPError as error:
            raise PeerUnreachable(f"no answer from {self._peer}: {type(error).__name__}") from error
        except MalformedMessage as error:
            raise PeerUnreachable(f"the answer of {self._peer} cannot be read: {error}") from error

    @property
    def _peer(self) -> str:
        """The peer as it may stand in a log: without path and query."""
        url = httpx.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}"

    def _pieces(self, request: OutgoingRequest, message_id: str) -> tuple[str, list[Piece]]:
        opening = envelope.request_opening(request.action, self.url, message_id=message_id)
        root: list[Piece] = [opening, request.body, envelope.CLOSE]
        if request.mtom:
            return package(root, request.parts, action=request.action)
        if request.parts:
            raise ValueError("parts can only be sent with MTOM")
        return f'{SOAP_TYPE}; action="{request.action}"', root

    def _read(self, response: httpx.Response, message_id: str) -> IncomingResponse:
        kind, parameters = parse_header(response.headers.get("content-type", ""))
        staging = Staging(self._stage)
        try:
            if kind == "multipart/related":
                data = _read_package(response, parameters, staging)
            elif kind in {"application/soap+xml", "text/xml", "application/xml"}:
                data = _read_plain(response)
            else:
                raise _no_soap(self._peer, response)
            root = _parse(data, parameters.get("charset") if kind != "multipart/related" else None)
            body = self._body(root, message_id)
        except BaseException:
            staging.discard()
            raise
        staging.hand_over(body)
        return IncomingResponse(body, staging.parts)

    def _body(self, root: etree._Element, message_id: str) -> etree._Element:
        for version in _SOAP_VERSIONS:
            if root.tag == f"{{{version}}}Envelope":
                break
        else:
            raise MalformedMessage("it is not a SOAP envelope")
        body = root.find(f"{{{version}}}Body")
        if body is None or len(body) == 0:
            raise MalformedMessage("its SOAP body is empty")
        if (text := faults.read(body[0])) is not None:
            raise PeerRejected(f"{self._peer} answered with a fault: {text}")
        if version != SOAP:
            raise MalformedMessage("it is not SOAP 1.2")
        related = collect(root.find(f"{{{SOAP}}}Header")).relates_to
        if related != message_id:  # seen from real peers; HTTP has already said which request is answered
            log.warning("the answer of %s does not relate to the request's MessageID", self._peer)
        return body[0]


def _read_plain(response: httpx.Response) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_bytes():
        size += len(piece)
        check(size, ANSWER_LIMITS.envelope, "it")
        pieces.append(piece)
    return b"".join(pieces)


def _read_package(response: httpx.Response, parameters: Mapping[str, str], staging: Staging) -> bytes:
    reader = PackageReader(parameters, staging, ANSWER_LIMITS, Quota(ANSWER_LIMITS.early_parts_total))
    for piece in response.iter_bytes(_PIECE):
        reader.feed(piece)
    reader.close()
    return reader.root


def _parse(data: bytes, encoding: str | None) -> etree._Element:
    return xml.parse(
        data, encoding=encoding, max_size=ANSWER_LIMITS.envelope, max_tags=_MAX_TAGS, max_attributes=_MAX_TAGS
    )


def _no_soap(peer: str, response: httpx.Response) -> Exception:
    """An answer without envelope: refused by HTTP, or not from a SOAP endpoint at all."""
    if 400 <= response.status_code < 500:
        return PeerRejected(f"{peer} answered HTTP {response.status_code}")
    return PeerUnreachable(f"{peer} answered HTTP {response.status_code} without a SOAP envelope")
