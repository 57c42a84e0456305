"""MTOM for zeep, both ways and byte for byte, and a SAML assertion in its requests.

zeep cannot send MTOM, and takes line ends away from the edges of documents it receives. With this transport any zeep
client can use the transactions of documents, for example with the WSDL that this library serves::

    client = zeep.Client("http://127.0.0.1:8080/repository?wsdl", transport=MtomTransport())
    client.service["DocumentRepository_ProvideAndRegisterDocumentSet-b"](SubmitObjectsRequest=…, Document=[…])

Messages are built in memory, as everything in zeep is: for documents of many megabytes ``xds.clients`` is the better
client. zeep refuses texts of more than 10 MB unless its settings say ``xml_huge_tree=True``.
"""

from __future__ import annotations

import base64
import copy
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Final

import requests
from lxml import etree
from zeep.exceptions import TransportError
from zeep.transports import Transport
from zeep.wsse.utils import get_security_header

from xds.ebxml import xml
from xds.errors import MalformedMessage, MessageTooLarge
from xds.ports import OutgoingPart, StagedDocument
from xds.transactions import TRANSACTIONS
from xds.transactions.base import Transaction
from xds.vocab.namespaces import SOAP, XDS, XOP
from xds_soap.limits import MIB, Limits, Quota
from xds_soap.mime import parse_header
from xds_soap.mtom import PackageReader, package, stream
from xds_soap.staging import Staging, referred
from xds_soap.temporary import TemporaryStage

#: The elements of the SOAP body whose transactions are defined with MTOM (ITI TF-2 Appendix V.3)
MTOM_BODIES: Final = frozenset(
    row.binding.body for row in TRANSACTIONS if isinstance(row, Transaction) and row.binding.mtom
)
#: The elements that become parts of their own
DOCUMENTS: Final = frozenset({f"{{{XDS}}}Document"})
_INCLUDE: Final = f"{{{XOP}}}Include"
_BODY: Final = f"{{{SOAP}}}Body"
_MAX_TAGS: Final = 10_000_000


class MtomTransport(Transport):
    """A zeep transport that packs and unpacks MTOM packages (SOAP MTOM, XOP; ITI TF-2 Appendix V.8).

    Requests whose body is one of ``bodies`` go out as a package, the content of ``documents`` in parts of their own;
    all others as zeep sends them. An answer that is a package is given to zeep as a plain one, its parts as base64,
    which zeep decodes to the bytes that were sent. ``max_answer`` limits an answer, in bytes; a larger or damaged one
    raises zeep's TransportError. ``session`` is a ``requests.Session``, with certificates for TLS where needed; the
    other options are zeep's. Faults raise zeep's Fault, packed or not.
    """

    def __init__(
        self,
        *,
        bodies: Collection[str] = MTOM_BODIES,
        documents: Collection[str] = DOCUMENTS,
        max_answer: int = 256 * MIB,
        **options: Any,
    ) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # zeep has no types
        self._bodies = frozenset(bodies)
        self._documents = frozenset(documents)
        self._limits = Limits(
            request=max_answer, envelope=max_answer, early_parts=max_answer, early_parts_total=max_answer
        )

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> requests.Response:
        """What zeep calls for each request."""
        body = envelope.find(_BODY)
        if body is None or not len(body) or body[0].tag not in self._bodies:
            answer = super().post_xml(address, envelope, headers)  # type: ignore[no-untyped-call]  # likewise
            return self._unpacked(answer)
        parts = self._take_out(body[0])
        action = parse_header(headers.get("Content-Type", ""))[1].get("action", "")
        kind, pieces = package([etree.tostring(envelope)], parts, action=action)
        message = b"".join(stream(pieces))
        answer = self.post(address, message, {**headers, "Content-Type": kind})  # type: ignore[no-untyped-call]
        return self._unpacked(answer)

    def _take_out(self, payload: etree._Element) -> list[OutgoingPart]:
        parts = []
        for element in payload.iter(*self._documents):
            if len(element):
                continue  # an Include already
            content = base64.b64decode(element.text or "")
            part = OutgoingPart(f"{uuid.uuid4()}@ihe-xds", "application/octet-stream", [content], len(content))
            element.text = None
            etree.SubElement(element, _INCLUDE, href=f"cid:{part.content_id}")
            parts.append(part)
        return parts

    def _unpacked(self, response: requests.Response) -> requests.Response:
        """The response as if it had been sent without MTOM."""
        kind, parameters = parse_header(response.headers.get("Content-Type", ""))
        if kind != "multipart/related":
            return response
        try:
            content = self._inlined(response.content, parameters)
        except (MalformedMessage, MessageTooLarge) as error:
            raise TransportError(f"the answer cannot be read: {error}", response.status_code) from None
        plain = requests.Response()
        plain.status_code = response.status_code
        plain.headers = response.headers.copy()
        plain.headers["Content-Type"] = "application/soap+xml; charset=UTF-8"
        plain.url, plain.request, plain.reason = response.url, response.request, response.reason
        plain.encoding = "utf-8"
        plain._content = content
        return plain

    def _inlined(self, data: bytes, parameters: Mapping[str, str]) -> bytes:
        staging = Staging(lambda: TemporaryStage(in_memory=self._limits.request))
        reader = PackageReader(parameters, staging, self._limits, Quota(self._limits.early_parts_total))
        if len(data) > self._limits.request:
            raise MessageTooLarge(f"it has more than {self._limits.request} bytes")
        reader.feed(data)
        reader.close()
        root = xml.parse(reader.root, max_size=self._limits.envelope, max_tags=_MAX_TAGS, max_attributes=_MAX_TAGS)
        for include in list(root.iter(_INCLUDE)):
            element = include.getparent()
            if element is None:
                raise MalformedMessage("the root part is an Include")
            element.text = base64.b64encode(_content(include, staging.parts)).decode("ascii")
            element.remove(include)
        for element in root.iter(*self._documents):
            element.text = element.text or " "  # without text zeep makes None of it; a blank is nothing in base64
        return etree.tostring(root)


def _content(include: etree._Element, parts: Mapping[str, StagedDocument]) -> bytes:
    for content_id in referred(include):
        if content_id in parts:
            return parts[content_id].content or b""
    raise MalformedMessage("an Include refers to a part that is not there")


class SamlToken:
    """A SAML assertion in the wsse:Security header of each request, for the ``wsse`` argument of a zeep client.

    ``assertion`` is the signed element as the identity provider gave it (XUA: ITI TF-2, 3.40). It is copied as it
    stands; a signature made with inclusive canonicalisation does not survive a new parent, those of SAML are exclusive.
    """

    def __init__(self, assertion: etree._Element) -> None:
        self._assertion = assertion

    def apply(self, envelope: etree._Element, headers: Any) -> tuple[etree._Element, Any]:
        """What zeep calls before it sends."""
        get_security_header(envelope).append(copy.deepcopy(self._assertion))
        return envelope, headers

    def verify(self, envelope: etree._Element) -> etree._Element:
        """What zeep calls with the answer, which carries no token."""
        return envelope
