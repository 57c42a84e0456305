"""The WSDL of a SOAP path, made of the transactions that are served there (ITI TF-2 Appendix V and W).

One document without references to others: the schemas stand in it, so that a proxy, a saved copy or a client without
access to anything else is no obstacle. The schemas are our own; they describe the same messages as those of ebXML, with
choices in place of substitution groups, which zeep and several generators cannot read. They are there for making
clients: what the server accepts is decided by its rules, not by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import Final

from lxml import etree

from xds.ebxml.xml import parse
from xds.transactions.base import Transaction
from xds.vocab import namespaces
from xds.vocab.namespaces import XDS

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_SOAP12: Final = "http://schemas.xmlsoap.org/wsdl/soap12/"
_WSAW: Final = "http://www.w3.org/2006/05/addressing/wsdl"
_WSAM: Final = "http://www.w3.org/2007/05/addressing/metadata"
_XSD: Final = "http://www.w3.org/2001/XMLSchema"
_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
_SCHEMAS: Final = ("rim", "rs", "lcm", "query", "xdsb")
# the schemas use these in values of attributes: they have to be those of the whole document
_PREFIXES: Final = {
    "wsdl": _WSDL,
    "soap12": _SOAP12,
    "wsaw": _WSAW,
    "wsam": _WSAM,
    "xs": _XSD,
    "rim": namespaces.RIM,
    "rs": namespaces.RS,
    "lcm": namespaces.LCM,
    "query": namespaces.QUERY,
    "xds": namespaces.XDS,
}
# what may stand in a URL that we did not make
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.\-_~\[\]:]{1,255}(/[A-Za-z0-9.\-_~/%]*)?\Z")


def wsdl(service: str, transactions: Iterable[Transaction], address: str) -> bytes:
    """The WSDL 1.1 document of a service called ``service``, for example DocumentRegistry.

    ``address`` is the URL clients send to; ValueError when it is none.
    """
    if not _ADDRESS.match(address):
        raise ValueError("the address of a service is an http or https URL")
    rows = tuple(sorted(transactions, key=lambda row: row.binding.action))
    return _document(service, rows).replace(b"@ADDRESS@", address.encode())


@lru_cache(maxsize=64)
def _document(service: str, transactions: tuple[Transaction, ...]) -> bytes:
    root = etree.Element(_wsdl("definitions"), nsmap=_PREFIXES, name=service, targetNamespace=XDS)
    _types(root)
    for row in transactions:
        for kind, element in (("", row.binding.body), ("Response", row.binding.answer)):
            message = etree.SubElement(root, _wsdl("message"), name=f"{row.binding.operation}{kind}_Message")
            etree.SubElement(message, _wsdl("part"), name="body", element=_prefixed(element))
    _port_type(root, service, transactions)
    _binding(root, service, transactions)
    _service(root, service)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _types(root: etree._Element) -> None:
    types = etree.SubElement(root, _wsdl("types"))
    for name in _SCHEMAS:
        text = resources.files("xds_soap.wsdl").joinpath("schemas").joinpath(f"{name}.xsd").read_bytes()
        schema = parse(text)
        for imported in schema.iter(f"{{{_XSD}}}import"):
            del imported.attrib["schemaLocation"]  # it stands in this document
        types.append(schema)


def _port_type(root: etree._Element, service: str, transactions: Iterable[Transaction]) -> None:
    port_type = etree.SubElement(root, _wsdl("portType"), name=f"{service}_PortType")
    for row in transactions:
        soap = row.binding
        operation = etree.SubElement(port_type, _wsdl("operation"), name=soap.operation)
        etree.SubElement(operation, _wsdl("documentation")).text = f"{row.number} {row.name}"
        for direction, kind, action in (("input", "", soap.action), ("output", "Response", soap.response_action)):
            element = etree.SubElement(operation, _wsdl(direction), message=f"xds:{soap.operation}{kind}_Message")
            element.set(f"{{{_WSAW}}}Action", action)
            element.set(f"{{{_WSAM}}}Action", action)


def _binding(root: etree._Element, service: str, transactions: Iterable[Transaction]) -> None:
    binding = etree.SubElement(root, _wsdl("binding"), name=f"{service}_Binding_Soap12", type=f"xds:{service}_PortType")
    etree.SubElement(binding, f"{{{_SOAP12}}}binding", style="document", transport=_HTTP)
    # WS-Addressing is required (ITI TF-2, V.3.2)
    etree.SubElement(binding, f"{{{_WSAW}}}UsingAddressing").set(f"{{{_WSDL}}}required", "true")
    for row in transactions:
        operation = etree.SubElement(binding, _wsdl("operation"), name=row.binding.operation)
        # receivers ignore the SOAP action of HTTP; naming it makes clients send it
        etree.SubElement(
            operation, f"{{{_SOAP12}}}operation", soapAction=row.binding.action, soapActionRequired="false"
        )
        for direction in ("input", "output"):
            etree.SubElement(
                etree.SubElement(operation, _wsdl(direction)), f"{{{_SOAP12}}}body", use="literal", parts="body"
            )


def _service(root: etree._Element, service: str) -> None:
    element = etree.SubElement(root, _wsdl("service"), name=f"{service}_Service")
    port = etree.SubElement(
        element, _wsdl("port"), name=f"{service}_Port_Soap12", binding=f"xds:{service}_Binding_Soap12"
    )
    etree.SubElement(port, f"{{{_SOAP12}}}address", location="@ADDRESS@")


def _wsdl(name: str) -> str:
    return f"{{{_WSDL}}}{name}"


def _prefixed(element: str) -> str:
    name = etree.QName(element)
    [prefix] = [prefix for prefix, uri in _PREFIXES.items() if uri == name.namespace]
    return f"{prefix}:{name.localname}"
