"""WS-Addressing 1.0 headers of a request, and which header blocks must be understood (SOAP 1.2 Part 1, 2.4).

Collecting never fails, so that even a fault can say what it relates to; ``Headers.check`` raises what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from xds.ebxml.xml import XML_SPACE
from xds.vocab.namespaces import SOAP, WSA
from xds_soap import faults
from xds_soap.faults import SoapFault

ANONYMOUS: Final = f"{WSA}/anonymous"
NONE: Final = f"{WSA}/none"
# what a reply relates to when the request had no MessageID (WS-Addressing 1.0 Core, 3.4)
UNSPECIFIED: Final = f"{WSA}/unspecified"

_WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SECURITY: Final = f"{{{_WSSE}}}Security"
_MUST_UNDERSTAND: Final = f"{{{SOAP}}}mustUnderstand"
_ROLE: Final = f"{{{SOAP}}}role"
_OUR_ROLES: Final = frozenset({f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver"})
_TRUE: Final = frozenset({"1", "true"})
_ADDRESS: Final = f"{{{WSA}}}Address"

# header -> (attribute of Headers, is an endpoint reference)
_PROPERTIES: Final = {
    f"{{{WSA}}}Action": ("action", False),
    f"{{{WSA}}}MessageID": ("message_id", False),
    f"{{{WSA}}}To": ("to", False),
    f"{{{WSA}}}ReplyTo": ("reply_to", True),
    f"{{{WSA}}}FaultTo": ("fault_to", True),
    f"{{{WSA}}}From": ("source", True),
}
_RELATES_TO: Final = f"{{{WSA}}}RelatesTo"


@dataclass(slots=True)
class Headers:
    """The addressing properties of a message, trimmed; None where the header is absent."""

    action: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    fault_to: str | None = None
    source: str | None = None
    relates_to: str | None = None
    repeated: list[str] = field(default_factory=list)  # local names of headers that stood more than once
    not_understood: list[str] = field(default_factory=list)  # Clark names of mandatory headers unknown here
    security: bool = False  # a wsse:Security block is there
    blanks: bool = False  # white space stood around a value

    def check(self) -> None:
        """Raise the fault for the first thing that is wrong, in the order of SOAP's processing model."""
        if self.not_understood:
            raise faults.not_understood(self.not_understood)
        if self.repeated:
            name = self.repeated[0]
            raise SoapFault(
                faults.INVALID_CARDINALITY, f"header {name} stands twice", detail=faults.problem_header(name)
            )
        if not self.action:
            raise SoapFault(faults.HEADER_REQUIRED, "header Action is missing", detail=faults.problem_header("Action"))
        for name, address in (("ReplyTo", self.reply_to), ("FaultTo", self.fault_to)):
            if address == "":
                raise SoapFault(faults.INVALID_EPR, f"header {name} has no Address", detail=faults.problem_header(name))

    @property
    def relation(self) -> str:
        """The RelatesTo of the answer."""
        return self.message_id or UNSPECIFIED

    @property
    def synchronous(self) -> bool:
        """The answer goes out on the connection of the request; an absent ReplyTo means that too."""
        return self.reply_to is None or self.reply_to == ANONYMOUS


def collect(header: etree._Element | None) -> Headers:
    """The header blocks that are meant for us (SOAP 1.2 Part 1, 2.2: no role, ``next`` or ``ultimateReceiver``)."""
    headers = Headers()
    if header is None:
        return headers
    for block in header:
        role = block.get(_ROLE)
        if role is not None and role.strip(XML_SPACE) not in _OUR_ROLES and role.strip(XML_SPACE):
            continue
        tag = block.tag
        known = _PROPERTIES.get(tag)
        if known is not None:
            name, reference = known
            value = block.findtext(_ADDRESS) if reference else block.text
            if getattr(headers, name) is not None:
                headers.repeated.append(etree.QName(tag).localname)
            else:
                trimmed = (value or "").strip(XML_SPACE)
                headers.blanks |= trimmed != (value or "")
                setattr(headers, name, trimmed)
        elif tag == _RELATES_TO:
            headers.relates_to = (block.text or "").strip(XML_SPACE)
        elif tag == SECURITY:
            headers.security = True
        elif (block.get(_MUST_UNDERSTAND) or "").strip(XML_SPACE) in _TRUE:
            headers.not_understood.append(tag)
    return headers
