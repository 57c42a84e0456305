"""ITI-41, ITI-42, ITI-18 and ITI-43 requests written by hand, without the library: what it is measured with must not
be made by it. Patients are invented."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

AUTHORITY = "1.3.6.1.4.1.21367.13.20.1000"
REPOSITORY = "1.3.6.1.4.1.21367.2026.1.1"
BOUNDARY = "evidence-5d1c"
MTOM_TYPE = (
    f'multipart/related; boundary="{BOUNDARY}"; type="application/xop+xml"; '
    'start="<root@evidence>"; start-info="application/soap+xml"'
)
SOAP_TYPE = "application/soap+xml; charset=UTF-8"
_NODE = "urn:oasis:names:tc:ebxml-regrep:"
_DE_CODES = {
    "41a5887f-8865-4c09-adf7-e362475b143a": ("34133-9", "2.16.840.1.113883.6.1", "Summary of episode note"),
    "f4f85eac-e6cb-4883-b524-f2705394840f": ("N", "2.16.840.1.113883.5.25", "normal"),
    "a09d5840-386c-46f2-b5ad-9c3699a4309d": ("urn:ihe:pcc:xds-ms:2007", "1.3.6.1.4.1.19376.1.2.3", "Summaries"),
    "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": ("22232009", "2.16.840.1.113883.6.96", "Hospital"),
    "cccf5598-8b07-4b77-a05e-ae952c785ead": ("394579002", "2.16.840.1.113883.6.96", "Cardiology"),
    "f0306f51-975f-434e-a61c-c59651d33983": ("18842-5", "2.16.840.1.113883.6.1", "Discharge summary"),
}
_ACTIONS = {
    "ITI-18": "urn:ihe:iti:2007:RegistryStoredQuery",
    "ITI-41": "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    "ITI-42": "urn:ihe:iti:2007:RegisterDocumentSet-b",
    "ITI-43": "urn:ihe:iti:2007:RetrieveDocumentSet",
}


def patient(number: int) -> str:
    return f"E{number:06}^^^&amp;{AUTHORITY}&amp;ISO"


def _slot(name: str, *values: str) -> str:
    inside = "".join(f"<rim:Value>{value}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def _name(text: str) -> str:
    return f'<rim:Name><rim:LocalizedString value="{text}"/></rim:Name>'


def _code(n: int, parent: str, scheme: str, code: tuple[str, str, str]) -> str:
    return (
        f'<rim:Classification id="c{parent}{n}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{parent}" '
        f'nodeRepresentation="{code[0]}">{_slot("codingScheme", code[1])}{_name(code[2])}</rim:Classification>'
    )


def _author(parent: str, scheme: str) -> str:
    return (
        f'<rim:Classification id="a{parent}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{parent}" '
        f'nodeRepresentation="">{_slot("authorPerson", "^Li^Na^^^Dr")}{_slot("authorInstitution", "East Hospital")}'
        f"{_slot('authorRole', 'physician')}</rim:Classification>"
    )


def _identifier(n: int, parent: str, scheme: str, value: str, name: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="x{parent}{n}" registryObject="{parent}" identificationScheme="urn:uuid:{scheme}" '
        f'value="{value}">{_name(name)}</rim:ExternalIdentifier>'
    )


def submit_objects(unique_id: str, patient_id: str, *, sha1: str = "", size: int = -1) -> str:
    """One SubmissionSet with one DocumentEntry; with ``sha1`` and ``size`` as a repository sends it."""
    stored = ""
    if sha1:
        stored = _slot("hash", sha1) + _slot("size", str(size)) + _slot("repositoryUniqueId", REPOSITORY)
    entry = (
        '<rim:ExtrinsicObject id="D1" mimeType="text/xml" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
        + _slot("creationTime", "20260904123000")
        + _slot("languageCode", "zh-CN")
        + _slot("serviceStartTime", "20260904100000")
        + _slot("serviceStopTime", "20260904113000")
        + _slot("sourcePatientId", "L1^^^&amp;1.2.156.1.9&amp;ISO")
        + stored
        + _name("出院小结")
        + _author("D1", "93606bcf-9494-43ec-9b4e-a7748d1a838d")
        + "".join(_code(n, "D1", scheme, code) for n, (scheme, code) in enumerate(_DE_CODES.items()))
        + _identifier(1, "D1", "58a6f841-87b3-4a3e-92fd-a8ffeff98427", patient_id, "XDSDocumentEntry.patientId")
        + _identifier(2, "D1", "2e82c1f6-a085-4c72-9da3-8640a32e42ab", unique_id, "XDSDocumentEntry.uniqueId")
        + "</rim:ExtrinsicObject>"
    )
    package = (
        '<rim:RegistryPackage id="S1">'
        + _slot("submissionTime", "20260904124500")
        + _author("S1", "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d")
        + _code(0, "S1", "aa543740-bdda-424e-8c96-df4873be8500", _DE_CODES["41a5887f-8865-4c09-adf7-e362475b143a"])
        + _identifier(1, "S1", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", patient_id, "XDSSubmissionSet.patientId")
        + _identifier(2, "S1", "554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.156.1.9", "XDSSubmissionSet.sourceId")
        + _identifier(3, "S1", "96fdda7c-d067-4183-912e-bf5ee74998a8", unique_id + ".9", "XDSSubmissionSet.uniqueId")
        + '</rim:RegistryPackage><rim:Classification id="n1" classifiedObject="S1" '
        'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
    )
    member = (
        f'<rim:Association id="A1" associationType="{_NODE}AssociationType:HasMember" sourceObject="S1" '
        f'targetObject="D1">{_slot("SubmissionSetStatus", "Original")}</rim:Association>'
    )
    return (
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><rim:RegistryObjectList>'
        f"{entry}{package}{member}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def envelope(transaction: str, body: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{_ACTIONS[transaction]}</a:Action><a:MessageID>urn:uuid:evidence</a:MessageID>'
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def mtom(root: bytes, document: Iterable[bytes] | None = None) -> Iterator[bytes]:
    """The MIME package in pieces, so that a large document need not be held."""
    head = f'--{BOUNDARY}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
    yield f"{head}Content-Transfer-Encoding: binary\r\nContent-ID: <root@evidence>\r\n\r\n".encode() + root + b"\r\n"
    if document is not None:
        yield f"--{BOUNDARY}\r\nContent-Type: text/xml\r\nContent-ID: <doc@evidence>\r\n\r\n".encode()
        yield from document
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def iti41_envelope(unique_id: str, patient_id: str) -> bytes:
    include = '<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:doc@evidence"/>'
    return envelope(
        "ITI-41",
        '<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007">'
        + submit_objects(unique_id, patient_id)
        + f'<x:Document id="D1">{include}</x:Document></x:ProvideAndRegisterDocumentSetRequest>',
    )


def iti41(unique_id: str, patient_id: str, document: bytes) -> bytes:
    return b"".join(mtom(iti41_envelope(unique_id, patient_id), [document]))


def iti42(unique_id: str, patient_id: str, document: bytes) -> bytes:
    sha1 = hashlib.sha1(document, usedforsecurity=False).hexdigest()
    return envelope("ITI-42", submit_objects(unique_id, patient_id, sha1=sha1, size=len(document)))


def iti18(patient_id: str, *, return_type: str = "LeafClass") -> bytes:
    return envelope(
        "ITI-18",
        '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        f'<q:ResponseOption returnComposedObjects="true" returnType="{return_type}"/>'
        '<rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d">'
        + _slot("$XDSDocumentEntryPatientId", f"'{patient_id}'")
        + _slot("$XDSDocumentEntryStatus", f"('{_NODE}StatusType:Approved')")
        + "</rim:AdhocQuery></q:AdhocQueryRequest>",
    )


def iti43(unique_id: str) -> bytes:
    request = (
        '<x:RetrieveDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007"><x:DocumentRequest>'
        f"<x:RepositoryUniqueId>{REPOSITORY}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{unique_id}</x:DocumentUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>"
    )
    return b"".join(mtom(envelope("ITI-43", request)))


def iti8(number: int) -> bytes:
    """ADT^A01 in its MLLP frame."""
    pid = patient(number).replace("&amp;", "&")
    return (
        f"\x0bMSH|^~\\&|HIS|EAST|XDS|REGION|20260101000000||ADT^A01^ADT_A01|E{number}|P|2.3.1\r"
        f"EVN|A01|20260101000000\rPID|1||{pid}||Quandary^Ophir||19700101|M\rPV1|1|O\r\x1c\r"
    ).encode()


def document_part(answer: bytes) -> bytes | None:
    """The document of an ITI-43 answer, cut out byte for byte; None when there is none."""
    boundary = b"--" + answer[2 : answer.index(b"\r\n")] if answer.startswith(b"--") else b"--"
    parts = answer.split(b"\r\n" + boundary)
    if len(parts) < 3:
        return None
    _, _, content = parts[1].partition(b"\r\n\r\n")
    return content
