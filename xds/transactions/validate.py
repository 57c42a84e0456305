"""What an actor would find wrong with a message, without an actor: for those who build or debug a sender.

:func:`validate` reads metadata as it lies in a file (lcm:SubmitObjectsRequest, rim:RegistryObjectList,
xds:ProvideAndRegisterDocumentSetRequest, query:AdhocQueryRequest, xds:RetrieveDocumentSetRequest) or in a SOAP
envelope. MTOM packages and captured HTTP requests are read by ``xds_soap.capture``, which calls this module.

What depends on a registry's contents (known patient, targets of relationships, used uniqueIds) cannot be said here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from lxml import etree

from xds.ebxml import query, retrieve, rim, rs, xml
from xds.errors import MalformedMessage, MessageTooLarge, RegistryError, RequestRejected, UnsupportedMessage
from xds.metadata.codes import CodeTable
from xds.metadata.registry_object import Submission
from xds.metadata.rules import Finding, Profile, Rule, check
from xds.ports import StagedDocument
from xds.registry.parameters import read_arguments, stored_query
from xds.registry.submit import examine
from xds.repository.documents import problems
from xds.vocab.ebrim import SlotName
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import RIM, SOAP, SOAP11, XDS, XOP

#: the words of the command line for who receives the submission
PROFILES: Final[Mapping[str, Profile]] = {
    "registry": Profile.XDS,
    "provide": Profile.PROVIDE,
    "limited": Profile.LIMITED,
    "on-demand": Profile.ON_DEMAND,
}

Parts = Mapping[str, StagedDocument]


@dataclass(frozen=True, slots=True)
class _Context:
    """What the caller gave, and where tolerances go."""

    profile: Profile | None
    codes: CodeTable | None
    notes: list[Finding] | None
    parts: Parts | None


def validate(
    data: bytes,
    *,
    content_type: str | None = None,
    profile: Profile | str | None = None,
    codes: CodeTable | None = None,
    notes: list[Finding] | None = None,
    parts: Parts | None = None,
) -> list[Finding]:
    """Everything a Document Registry or Repository would find wrong with a message; empty when it is clean.

    ``content_type`` matters for its charset. ``profile`` says who receives a submission: a ``Profile``, or ``registry``
    (ITI-42), ``provide`` (ITI-41), ``limited``, ``on-demand`` (ITI-61); by default what the message is. ``codes``
    limits codes and MIME types to those of a domain. What was tolerated is appended to ``notes``. ``parts`` are the
    MTOM parts by Content-ID; without them the documents that an xop:Include stands for are not compared with hash and
    size. Raises MalformedMessage for what cannot be read, UnsupportedMessage for another message, ValueError for an
    unknown profile. Findings hold values of the message: they are for whoever sent it, not for a log.
    """
    context = _Context(named(profile), codes, notes, parts)
    if data.lstrip()[:2] == b"--" or (content_type or "").strip().lower().startswith("multipart/"):
        raise UnsupportedMessage("this is a MIME package: xds_soap.capture.validate reads it")
    charset = _CHARSET(content_type or "")
    root = xml.parse(data, encoding=charset[1] if charset else None)
    findings: list[Finding] = []
    if root.tag in _ENVELOPES:
        if root.tag != _SOAP12:
            findings.append(Finding(_SOAP_VERSION, location="Envelope"))
        root = _payload(root)
    reader = _READERS.get(str(root.tag))
    if reader is None:
        raise UnsupportedMessage(f"the message is a {etree.QName(root).localname[:80]}, which is not validated here")
    findings.extend(reader(root, context))
    return findings


_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*"?([\w.:-]+)""", re.IGNORECASE).search


def named(profile: Profile | str | None) -> Profile | None:
    """The profile of that name. Raises ValueError."""
    if profile is None or isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return PROFILES[profile]


# --------------------------------------------------------------------------- the envelope

_SOAP12: Final = f"{{{SOAP}}}Envelope"
_ENVELOPES: Final = {_SOAP12: f"{{{SOAP}}}Body", f"{{{SOAP11}}}Envelope": f"{{{SOAP11}}}Body"}
_SOAP_VERSION: Final = Rule(
    "soap version", None, "Envelope", "ITI TF-2, V.3.2.1", "is SOAP 1.1; the transactions use SOAP 1.2",
    ErrorCode.REGISTRY_ERROR,
)  # fmt: skip


def _payload(envelope: etree._Element) -> etree._Element:
    body = envelope.find(_ENVELOPES[str(envelope.tag)])
    if body is None:
        raise MalformedMessage("the envelope has no Body")
    if len(body) != 1:
        raise MalformedMessage(f"the SOAP body has {len(body)} elements instead of one")
    return body[0]


# --------------------------------------------------------------------------- submissions


def _submission(element: etree._Element, context: _Context) -> list[Finding]:
    return _checked(rs.decode_submit_objects(element), context, Profile.XDS)


def _objects(element: etree._Element, context: _Context) -> list[Finding]:
    return _checked(rim.decode_list(element), context, Profile.XDS)


def _checked(submission: Submission, context: _Context, profile: Profile) -> list[Finding]:
    profile = context.profile or profile
    findings = check(submission, profile=profile, codes=context.codes, notes=context.notes)
    if findings:
        return findings
    try:  # what is looked at in a submission that is right by itself
        examine(submission, profile=profile, codes=context.codes, authority=None)
    except RequestRejected as rejected:
        return [_finding(error, "relationship", "ITI TF-3, 4.2.2.2") for error in rejected.errors]
    return []


def _finding(error: RegistryError, attribute: str, section: str, *, value: str = "") -> Finding:
    """An actor's error in the form of the rules."""
    code = error.code if isinstance(error.code, ErrorCode) else ErrorCode.REGISTRY_ERROR
    rule = Rule(f"{attribute} ({code})", None, attribute, section, "is wrong", code)
    return Finding(rule, value=value, location=error.location, detail=error.context)


# --------------------------------------------------------------------------- submissions with documents

_ITI_41: Final = "ITI TF-2, 3.41.4.1.3"
_DOCUMENT: Final = f"{{{XDS}}}Document"
_INCLUDE: Final = f"{{{XOP}}}Include"


def _provided(element: etree._Element, context: _Context) -> list[Finding]:
    submissions = element.findall(rs.SUBMIT_OBJECTS_REQUEST)
    if len(submissions) != 1:
        raise MalformedMessage(f"{len(submissions)} SubmitObjectsRequests instead of one")
    findings = _checked(rs.decode_submit_objects(submissions[0]), context, Profile.PROVIDE)
    findings.extend(_document_findings(element, context.parts))
    return findings


def _document_findings(element: etree._Element, given: Parts | None) -> Iterator[Finding]:
    """Documents without metadata, entries without document, hash and size that are not the document's."""
    included = {} if given is not None else _included(element)
    try:
        provided = retrieve.decode_provide(element, included if given is None else given, Measure)
    except MessageTooLarge:
        raise
    except MalformedMessage as error:  # bytes that are not there: the metadata is worth reading all the same
        yield _finding(RegistryError(ErrorCode.REPOSITORY_ERROR, str(error)), "Document", _ITI_41)
        return
    for entry in provided.submission.document_entries:
        staged = provided.documents.get(entry.id)
        if staged is not None and any(staged is unseen for unseen in included.values()):
            entry.slots.pop(SlotName.HASH, None)
            entry.slots.pop(SlotName.SIZE, None)
    for problem in problems(provided):
        # the number of SubmissionSets is among the findings about the metadata
        if problem.location or problem.code is not ErrorCode.REPOSITORY_METADATA_ERROR:
            yield _finding(problem, "Document", _ITI_41)


def _included(element: etree._Element) -> dict[str, StagedDocument]:
    """In place of parts that nobody gave: documents of which nothing is known."""
    hrefs = [
        include.get("href", "").strip(xml.XML_SPACE)
        for document in element.iterchildren(_DOCUMENT)
        for include in document.iterchildren(_INCLUDE)
    ]
    return {unquote(href[4:]): StagedDocument(0, "") for href in hrefs}


class Measure:
    """A ``ports.Stage`` that counts and hashes, and keeps nothing."""

    def __init__(self) -> None:
        self._size = 0
        self._hash = hashlib.sha1(usedforsecurity=False)  # what DocumentEntry.hash is (ITI TF-3, 4.2.3.2.10)

    def write(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        self._hash.update(data)

    @property
    def size(self) -> int:
        return self._size

    def finish(self) -> StagedDocument:
        return StagedDocument(self._size, self._hash.hexdigest())

    def discard(self) -> None:
        """There is nothing to forget."""


# --------------------------------------------------------------------------- queries

_ITI_18: Final = "ITI TF-2, 3.18.4.1.2"


def _query(element: etree._Element, context: _Context) -> list[Finding]:
    asked = query.decode_request(element)
    given = {name: ", ".join(values) for name, values in asked.parameters}
    try:
        row = stored_query(asked)
    except RequestRejected as rejected:
        return [_finding(error, error.location or "AdhocQuery", _ITI_18) for error in rejected.errors]
    tolerated: list[str] = []
    findings: list[Finding] = []
    try:
        read_arguments(asked, row, tolerated)
    except RequestRejected as rejected:
        for error in rejected.errors:
            name = error.location
            said = RegistryError(error.code, error.context.removeprefix(f"{name}: "), name)
            findings.append(_finding(said, name or row.name, row.section, value=given.get(name, "")))
    if context.notes is not None:
        context.notes.extend(_note(name, "AdhocQuery", row.section) for name in dict.fromkeys(tolerated))
        unknown = [name for name in given if name not in row.by_name]
        context.notes.extend(_note("unknown parameter: ignored", name, _ITI_18) for name in unknown)
    return findings


def _note(text: str, attribute: str, section: str) -> Finding:
    return Finding(Rule(text, None, attribute, section, text, ErrorCode.REGISTRY_ERROR, tolerated=True))


def _retrieve(element: etree._Element, context: _Context) -> list[Finding]:
    """ITI-43 has nothing to find but that it can be read: identifiers are compared, not judged."""
    retrieve.decode_retrieve_request(element)
    return []


_READERS: Final[Mapping[str, Callable[[etree._Element, _Context], list[Finding]]]] = {
    rs.SUBMIT_OBJECTS_REQUEST: _submission,
    f"{{{RIM}}}RegistryObjectList": _objects,
    retrieve.PROVIDE_AND_REGISTER_REQUEST: _provided,
    retrieve.RETRIEVE_REQUEST: _retrieve,
    query.ADHOC_QUERY_REQUEST: _query,
}
