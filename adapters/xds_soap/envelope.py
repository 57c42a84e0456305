"""SOAP 1.2 envelopes in and out (W3C SOAP 1.2 Part 1, 5; ITI TF-2 Appendix V.3)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from lxml import etree

from xds.ebxml import xml
from xds.ebxml.xml import PREFIXES, XML_SPACE, legal, text
from xds.vocab.namespaces import SOAP, SOAP11, WSA
from xds_soap import faults
from xds_soap.addressing import ANONYMOUS, Headers, collect
from xds_soap.faults import SoapFault

_ENVELOPE: Final = f"{{{SOAP}}}Envelope"
_HEADER: Final = f"{{{SOAP}}}Header"
_BODY: Final = f"{{{SOAP}}}Body"
_ENCODING_STYLE: Final = f"{{{SOAP}}}encodingStyle"
# SOAP 1.2 Part 1, 5.1.1: no claims are made about the encoding
_NO_ENCODING: Final = frozenset({"", f"{SOAP}/encoding/none"})
_SOAP11_ENVELOPE: Final = f"{{{SOAP11}}}Envelope"


@dataclass(slots=True)
class Envelope:
    """A parsed envelope. ``payload`` is the element in the Body, None when the Body is empty."""

    root: etree._Element
    headers: Headers
    payload: etree._Element | None
    children: int  # elements in the Body

    def only_child(self) -> etree._Element:
        """The one element of the Body. Raises SoapFault when there is none, several, or one in a foreign encoding."""
        if self.payload is None:
            raise SoapFault(faults.SENDER, "the SOAP body is empty")
        if self.children > 1:
            raise SoapFault(faults.SENDER, "the SOAP body has more than one element")
        style = self.payload.get(_ENCODING_STYLE)
        if style is not None and style.strip(XML_SPACE) not in _NO_ENCODING:
            raise SoapFault(faults.DATA_ENCODING, "the encodingStyle of the body is not known here")
        return self.payload


class OldSoap(SoapFault):
    """The envelope is SOAP 1.1, and so is the answer."""


def read(data: bytes, *, encoding: str | None = None, max_size: int = xml.MAX_SIZE) -> Envelope:
    """Parse an envelope. Raises MalformedMessage for what is no XML, SoapFault for what is no SOAP 1.2."""
    return take_apart(xml.parse(data, encoding=encoding, max_size=max_size))


def take_apart(root: etree._Element) -> Envelope:
    """The parts of an envelope that is parsed already."""
    if root.tag != _ENVELOPE:
        if root.tag == _SOAP11_ENVELOPE:
            mismatch = faults.version_mismatch()
            raise OldSoap(mismatch.kind, mismatch.reason, headers=mismatch.headers)
        if etree.QName(root).localname == "Envelope":
            raise faults.version_mismatch()
        raise SoapFault(faults.SENDER, "the message is not a SOAP envelope")
    header = body = None
    for child in root:
        # at most one Header, then one Body (SOAP 1.2 Part 1, 5.1): two readers of two Bodies might each take another
        if child.tag == _BODY and body is None:
            body = child
        elif child.tag == _HEADER and header is None and body is None:
            header = child
        elif child.tag in (_BODY, _HEADER):
            raise SoapFault(faults.SENDER, "the envelope has more than one Header or Body, or them in another order")
    if body is None:
        raise SoapFault(faults.SENDER, "the envelope has no Body")
    children = len(body)
    return Envelope(root, collect(header), body[0] if children else None, children)


# --------------------------------------------------------------------------- out

_OPEN: Final = (
    f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}"'.encode()
    + PREFIXES
    + b'><s:Header><wsa:Action s:mustUnderstand="true">'
)
_BETWEEN: Final = b"</s:Header><s:Body>"
CLOSE: Final = b"</s:Body></s:Envelope>"


def new_message_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def opening(
    action: str,
    *,
    message_id: str,
    relates_to: str | None = None,
    reply_to: str | None = None,
    to: str | None = None,
    blocks: bytes = b"",
) -> bytes:
    """An envelope up to where its body begins; ``CLOSE`` ends it.

    Headers stand in the order Action, MessageID, ReplyTo, To, RelatesTo, and only Action must be understood: some
    toolkits fail on a mandatory ReplyTo. ``blocks`` are further header blocks as XML.
    """
    head = f"{text(legal(action))}</wsa:Action><wsa:MessageID>{text(message_id)}</wsa:MessageID>"
    if reply_to is not None:
        head += f"<wsa:ReplyTo><wsa:Address>{text(reply_to)}</wsa:Address></wsa:ReplyTo>"
    if to is not None:
        head += f"<wsa:To>{text(legal(to))}</wsa:To>"
    if relates_to is not None:
        head += f"<wsa:RelatesTo>{text(legal(relates_to))}</wsa:RelatesTo>"
    return _OPEN + head.encode() + blocks + _BETWEEN


def request_opening(action: str, to: str, *, message_id: str) -> bytes:
    """The opening of a synchronous request (ITI TF-2, V.3.2.2)."""
    return opening(action, message_id=message_id, reply_to=ANONYMOUS, to=to)
