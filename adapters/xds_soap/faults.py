"""SOAP faults as rows: code, subcodes, HTTP status (SOAP 1.2 Part 1, 5.4; WS-Addressing 1.0 SOAP Binding, 6).

A fault is for what stands before the application: an envelope, a package or an addressing header that cannot be used.
What an actor refuses is a RegistryError in the transaction's own response, never a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from xds.ebxml.xml import attribute, legal, text
from xds.errors import XdsError
from xds.vocab.namespaces import SOAP, SOAP11, WSA

ADDRESSING_FAULT_ACTION: Final = f"{WSA}/fault"
SOAP_FAULT_ACTION: Final = f"{WSA}/soap/fault"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row: ``subcodes`` are local names of WS-Addressing, the outer one first."""

    code: str
    status: int
    subcodes: tuple[str, ...] = ()


_INVALID: Final = "InvalidAddressingHeader"

# SOAP 1.2 Part 1, 5.4.6; HTTP statuses: Part 2, table 20
VERSION_MISMATCH: Final = FaultKind("VersionMismatch", 500)
MUST_UNDERSTAND: Final = FaultKind("MustUnderstand", 500)
DATA_ENCODING: Final = FaultKind("DataEncodingUnknown", 500)
SENDER: Final = FaultKind("Sender", 400)
RECEIVER: Final = FaultKind("Receiver", 500)
TOO_LARGE: Final = FaultKind("Sender", 413)
# WS-Addressing 1.0 SOAP Binding, 6.4
ACTION_NOT_SUPPORTED: Final = FaultKind("Sender", 400, ("ActionNotSupported",))
ACTION_MISMATCH: Final = FaultKind("Sender", 400, (_INVALID, "ActionMismatch"))
HEADER_REQUIRED: Final = FaultKind("Sender", 400, ("MessageAddressingHeaderRequired",))
INVALID_CARDINALITY: Final = FaultKind("Sender", 400, (_INVALID, "InvalidCardinality"))
INVALID_EPR: Final = FaultKind("Sender", 400, (_INVALID, "InvalidEPR"))
DUPLICATE_MESSAGE_ID: Final = FaultKind("Sender", 400, (_INVALID, "DuplicateMessageID"))
ONLY_ANONYMOUS: Final = FaultKind("Sender", 400, (_INVALID, "OnlyAnonymousAddressSupported"))
UNAVAILABLE: Final = FaultKind("Receiver", 500, ("EndpointUnavailable",))


class SoapFault(XdsError):
    """The request ends in this fault. ``reason`` and ``detail`` go to the peer.

    ``detail`` is XML with the prefixes ``s`` and ``wsa``; ``headers`` are header blocks, XML likewise.
    """

    def __init__(self, kind: FaultKind, reason: str, *, detail: bytes = b"", headers: bytes = b"") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.detail = detail
        self.headers = headers

    @property
    def action(self) -> str:
        """wsa:Action of the message that carries this fault (WS-Addressing 1.0 SOAP Binding, 6)."""
        return ADDRESSING_FAULT_ACTION if self.kind.subcodes else SOAP_FAULT_ACTION


def version_mismatch() -> SoapFault:
    """The envelope is of another SOAP version; the Upgrade header names ours (SOAP 1.2 Part 1, 5.4.7)."""
    return SoapFault(
        VERSION_MISMATCH,
        "the envelope is not SOAP 1.2",
        headers=b'<s:Upgrade><s:SupportedEnvelope qname="s:Envelope"/></s:Upgrade>',
    )


def not_understood(tags: Iterable[str]) -> SoapFault:
    """Mandatory header blocks that nobody here understands, each named in a NotUnderstood block (5.4.8)."""
    blocks = []
    for tag in tags:
        name = etree.QName(tag)
        space = f' xmlns:h="{attribute(name.namespace)}"' if name.namespace else ""
        blocks.append(f'<s:NotUnderstood qname="{"h:" if space else ""}{attribute(name.localname)}"{space}/>')
    return SoapFault(MUST_UNDERSTAND, "a mandatory header is not understood", headers="".join(blocks).encode())


def problem_action(action: str) -> bytes:
    """Detail of ActionNotSupported and ActionMismatch (WS-Addressing 1.0 SOAP Binding, 6.3.2)."""
    return f"<wsa:ProblemAction><wsa:Action>{text(action)}</wsa:Action></wsa:ProblemAction>".encode()


def problem_header(name: str) -> bytes:
    """Detail of the faults about one addressing header, by its local name (6.3.1)."""
    return f"<wsa:ProblemHeaderQName>wsa:{name}</wsa:ProblemHeaderQName>".encode()


def encode(fault: SoapFault) -> bytes:
    """soap12:Fault for the Body of an envelope that declares ``s`` and ``wsa``."""
    subcode = ""
    for name in reversed(fault.kind.subcodes):
        subcode = f"<s:Subcode><s:Value>wsa:{name}</s:Value>{subcode}</s:Subcode>"
    head = (
        f"<s:Fault><s:Code><s:Value>s:{fault.kind.code}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{text(legal(fault.reason))}</s:Text></s:Reason>'
    ).encode()
    detail = b"<s:Detail>%b</s:Detail>" % fault.detail if fault.detail else b""
    return head + detail + b"</s:Fault>"


def encode_soap11_mismatch() -> bytes:
    """The whole envelope that tells a SOAP 1.1 peer to use SOAP 1.2, in its own version (SOAP 1.2 Part 1, A.2)."""
    return (
        f'<e:Envelope xmlns:e="{SOAP11}" xmlns:s="{SOAP}"><e:Header>'
        '<s:Upgrade><s:SupportedEnvelope qname="s:Envelope"/></s:Upgrade></e:Header>'
        "<e:Body><e:Fault><faultcode>e:VersionMismatch</faultcode>"
        "<faultstring>the envelope is not SOAP 1.2</faultstring></e:Fault></e:Body></e:Envelope>"
    ).encode()


# --------------------------------------------------------------------------- reading, for clients


def read(body: etree._Element) -> str | None:
    """What a soap:Fault says, of either version, in one line; None when the element is no fault."""
    if body.tag == f"{{{SOAP}}}Fault":
        code = [" ".join((value.text or "").split()) for value in body.iterfind(f".//{{{SOAP}}}Value")]
        reason = body.findtext(f"{{{SOAP}}}Reason/{{{SOAP}}}Text")
        return _line(" / ".join(code), reason)
    if body.tag == f"{{{SOAP11}}}Fault":
        return _line(body.findtext("faultcode"), body.findtext("faultstring"))
    return None


def _line(code: str | None, reason: str | None) -> str:
    return f"{' '.join((code or '').split()) or 'fault'}: {' '.join((reason or '').split()) or 'no reason given'}"
