"""A real registry and repository on a store in a folder, behind a SOAP endpoint; and clients without sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.xds_soap.hosts import running
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.ebxml import xml
from xds.metadata.common import Author, Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.submission_set import SubmissionSet
from xds.registry.actor import AffinityDomain, DocumentRegistry
from xds.repository.actor import DocumentRepository
from xds.stores import open_store
from xds.vocab.actors import Actor
from xds_soap import SoapApp, SoapEndpoint, SoapExchange, WsgiApp

AUTHORITY = "1.3.6.1.4.1.21367.13.20.1000"
PATIENT = f"P0000001^^^&{AUTHORITY}&ISO"


@dataclass
class Platform:
    store: Any
    registry: DocumentRegistry
    repository: DocumentRepository
    endpoint: SoapEndpoint

    def exchange(self, path: str) -> SoapExchange:
        """A client whose requests go through the WSGI application, in the caller's thread."""
        app = WsgiApp(self.endpoint)

        def terminated(environ: dict[str, Any], start_response: Any) -> Any:
            # httpx gives the whole body and ends it, also without a Content-Length
            return app({**environ, "wsgi.input_terminated": True}, start_response)

        return SoapExchange(f"http://platform.example{path}", transport=httpx.WSGITransport(terminated))

    @property
    def source(self) -> DocumentSource:
        return DocumentSource(self.exchange("/repository"))

    @property
    def consumer(self) -> DocumentConsumer:
        return DocumentConsumer(self.exchange("/registry"), self.exchange("/repository"))


@contextlib.contextmanager
def platform(folder: Path, *, patients: str = "any", **options: Any) -> Iterator[Platform]:
    store = open_store(f"sqlite:///{folder / 'xds.db'}", documents=folder / "documents")
    try:
        domain = AffinityDomain(assigning_authority=AUTHORITY, patients=patients)  # type: ignore[arg-type]
        registry = DocumentRegistry(store, domain=domain)
        repository = DocumentRepository(store, registry)
        actors = {Actor.DOCUMENT_REGISTRY: registry, Actor.DOCUMENT_REPOSITORY: repository}
        yield Platform(store, registry, repository, SoapEndpoint(actors, store, **options))
    finally:
        store.close()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A platform behind a real listener; gives its URL."""
    with platform(folder) as one, running(SoapApp(one.endpoint)) as (host, port):
        yield f"http://{host}:{port}"


def code(value: str) -> Code:
    return Code(value, "1.2.3.99", f"display name of {value}")


def entry(**attributes: Any) -> DocumentEntry:
    """A complete DocumentEntry of an invented patient."""
    values: dict[str, Any] = {
        "patient_id": PATIENT,
        "source_patient_id": "MRN1^^^&1.2.3.4&ISO",
        "mime_type": "text/plain",
        "language_code": "zh-CN",
        "creation_time": "20260904123000",
        "class_code": code("class"),
        "type_code": code("type"),
        "format_code": code("format"),
        "confidentiality_code": code("N"),
        "healthcare_facility_type_code": code("hospital"),
        "practice_setting_code": code("cardiology"),
        "author": Author(person="^Zhang^Wei"),
    }
    return DocumentEntry(**(values | attributes))


def submission_set(**attributes: Any) -> SubmissionSet:
    values: dict[str, Any] = {
        "patient_id": PATIENT,
        "source_id": "1.2.3.4",
        "content_type_code": code("content"),
        "author": Author(person="^Zhang^Wei"),
    }
    return SubmissionSet(**(values | attributes))


def rooted(content: bytes) -> Any:
    """XML of ours as an element; the prefixes are those every message of ours declares."""
    return xml.parse(b"<root" + xml.PREFIXES + b">" + content + b"</root>")[0]
