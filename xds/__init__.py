"""IHE XDS.b Document Registry and Document Repository, with patient identities, as a Python library.

The names a program needs, gathered from the packages they live in. Importing this package stays light: a name is loaded
when it is first used, so that neither a web server nor a database driver comes along unasked.

Servers and clients on the wire are separate packages of the same distribution: ``xds_soap`` (SOAP 1.2 and MTOM) and
``xds_mllp`` (HL7 v2).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from xds.clients.documents import DocumentConsumer, DocumentSource
    from xds.clients.patients import Parties, PatientIdentitySource, PdqConsumer, PixConsumer
    from xds.datatypes.hl7 import CX
    from xds.errors import (
        MalformedMessage,
        MessageTooLarge,
        PeerRejected,
        PeerUnreachable,
        RegistryError,
        RequestRejected,
        StoreUnavailable,
        UnsupportedMessage,
        XdsError,
    )
    from xds.metadata.codes import CodeTable
    from xds.metadata.common import Author, Code
    from xds.metadata.document_entry import DocumentEntry
    from xds.metadata.folder import Folder
    from xds.metadata.submission import build_submission
    from xds.metadata.submission_set import SubmissionSet
    from xds.pdq.supplier import PatientDemographicsSupplier
    from xds.pix.manager import PatientIdentifierCrossReferenceManager
    from xds.registry.actor import AffinityDomain, DocumentRegistry
    from xds.registry.bulk import bulk_load
    from xds.repository.actor import DocumentRepository
    from xds.stores import open_store
    from xds.transactions.validate import validate
    from xds.vocab.errors import ErrorCode

__version__: Final = "0.1.0"

# where each public name lives; the imports above repeat it for type checkers, and a test keeps both the same
_HOMES: Final = {
    "AffinityDomain": "xds.registry.actor",
    "Author": "xds.metadata.common",
    "CX": "xds.datatypes.hl7",
    "Code": "xds.metadata.common",
    "CodeTable": "xds.metadata.codes",
    "DocumentConsumer": "xds.clients.documents",
    "DocumentEntry": "xds.metadata.document_entry",
    "DocumentRegistry": "xds.registry.actor",
    "DocumentRepository": "xds.repository.actor",
    "DocumentSource": "xds.clients.documents",
    "ErrorCode": "xds.vocab.errors",
    "Folder": "xds.metadata.folder",
    "MalformedMessage": "xds.errors",
    "MessageTooLarge": "xds.errors",
    "Parties": "xds.clients.patients",
    "PatientDemographicsSupplier": "xds.pdq.supplier",
    "PatientIdentifierCrossReferenceManager": "xds.pix.manager",
    "PatientIdentitySource": "xds.clients.patients",
    "PdqConsumer": "xds.clients.patients",
    "PeerRejected": "xds.errors",
    "PeerUnreachable": "xds.errors",
    "PixConsumer": "xds.clients.patients",
    "RegistryError": "xds.errors",
    "RequestRejected": "xds.errors",
    "StoreUnavailable": "xds.errors",
    "SubmissionSet": "xds.metadata.submission_set",
    "UnsupportedMessage": "xds.errors",
    "XdsError": "xds.errors",
    "build_submission": "xds.metadata.submission",
    "bulk_load": "xds.registry.bulk",
    "open_store": "xds.stores",
    "validate": "xds.transactions.validate",
}

__all__ = [
    "CX",
    "AffinityDomain",
    "Author",
    "Code",
    "CodeTable",
    "DocumentConsumer",
    "DocumentEntry",
    "DocumentRegistry",
    "DocumentRepository",
    "DocumentSource",
    "ErrorCode",
    "Folder",
    "MalformedMessage",
    "MessageTooLarge",
    "Parties",
    "PatientDemographicsSupplier",
    "PatientIdentifierCrossReferenceManager",
    "PatientIdentitySource",
    "PdqConsumer",
    "PeerRejected",
    "PeerUnreachable",
    "PixConsumer",
    "RegistryError",
    "RequestRejected",
    "StoreUnavailable",
    "SubmissionSet",
    "UnsupportedMessage",
    "XdsError",
    "__version__",
    "build_submission",
    "bulk_load",
    "open_store",
    "validate",
]


def __getattr__(name: str) -> Any:  # the type of each name is known to checkers from the imports above
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'xds' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
