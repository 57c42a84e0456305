"""Messages in, messages out: transactions driven as an adapter drives them, their answers checked by the schemas."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lxml import etree

from xds.ebxml.retrieve import to_mtom
from xds.ebxml.xml import PREFIXES, parse
from xds.errors import RequestRejected
from xds.ports import Later, StagedDocument, UnitOfWork
from xds.transactions.base import SoapAnswer, SoapRequest, Transaction

_SCHEMAS = {
    "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0": "query.xsd",
    "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0": "rs.xsd",
    "urn:ihe:iti:xds-b:2007": "XDS.b_DocumentRepository.xsd",
}


def exchange(
    transaction: Transaction,
    actor: object,
    body: bytes,
    *,
    store: UnitOfWork,
    parts: Mapping[str, StagedDocument] | None = None,
) -> SoapAnswer:
    """What the actor answers to a request body (prefixes of ``xml.PREFIXES``), failures included."""
    request = SoapRequest(body=parse(declared(body)), parts=parts or {}, stage=store.stage)
    try:
        result = transaction.perform(actor, transaction.decode_request(request))
        if isinstance(result, Future):
            result = result.result()
    except RequestRejected as rejected:
        return transaction.encode_failure(rejected.errors)
    return transaction.encode_response(result)


def element(answer: SoapAnswer) -> Any:
    """The answer's body as an element, its parts included by reference."""
    body = [p for piece in answer.body for p in (piece.chunks() if isinstance(piece, Later) else (piece,))]
    return parse(declared(to_mtom(body)))


def declared(body: bytes) -> bytes:
    """The body as a document of its own: its root declares the prefixes that an envelope would have declared."""
    end = re.compile(rb"[ />]").search(body, 1)
    assert end is not None
    return body[: end.start()] + b" " + PREFIXES.strip() + body[end.start() :]


def require_valid(root: Any) -> None:
    """The element is valid against the schemas of IHE and OASIS, where they lie beside the checkout."""
    shared = Path(os.environ.get("XDS_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    path = shared / "conformance" / "testkit" / "schema" / "v3" / _SCHEMAS[etree.QName(root).namespace or ""]
    if not path.is_file():
        return
    schema = etree.XMLSchema(etree.parse(str(path), etree.XMLParser(no_network=True)))
    copy = etree.fromstring(etree.tostring(root))
    etree.strip_elements(copy, "{http://www.w3.org/2004/08/xop/include}Include")  # the schemas know base64 only
    assert schema.validate(copy), schema.error_log
