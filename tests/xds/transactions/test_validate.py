"""A message is checked without a registry: the same findings as a registry would give, all at once."""

from __future__ import annotations

import base64
import hashlib

import pytest

import xds
from tests.evidence import messages
from xds.errors import MalformedMessage, UnsupportedMessage
from xds.metadata.codes import CodeTable
from xds.metadata.rules import Finding, Profile
from xds.transactions.validate import validate
from xds.vocab.namespaces import RIM, SOAP, SOAP11, XDS, XOP

DOCUMENT = b"\r\n<a/>\n"
PATIENT = messages.patient(1)
INLINE = base64.b64encode(DOCUMENT).decode()
CREATED = '<rim:Slot name="creationTime">'


def slot(name: str, value: str) -> str:
    return f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>'


def provide(*, replace: tuple[str, str] = ("", ""), document_id: str = "D1", content: str = INLINE) -> bytes:
    metadata = messages.submit_objects("1.2.3", PATIENT)
    if replace[0]:
        assert replace[0] in metadata
        metadata = metadata.replace(*replace)
    body = (
        f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="{XDS}">{metadata}'
        f'<x:Document id="{document_id}">{content}</x:Document></x:ProvideAndRegisterDocumentSetRequest>'
    )
    return messages.envelope("ITI-41", body)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code.value for finding in findings]


@pytest.mark.parametrize(
    "data",
    [
        messages.submit_objects("1.2.3", PATIENT, sha1="0" * 40, size=5).encode(),
        messages.iti42("1.2.3", PATIENT, DOCUMENT),
        messages.iti18(PATIENT),
        provide(),
    ],
    ids=["bare metadata", "ITI-42", "ITI-18", "ITI-41"],
)
def test_a_good_message_has_nothing_wrong(data: bytes) -> None:
    assert validate(data) == []


def test_a_bare_registry_object_list_is_read() -> None:
    text = messages.submit_objects("1.2.3", PATIENT)
    start, end = text.index("<rim:RegistryObjectList>"), text.index("</lcm:")
    bare = text[start:end].replace("<rim:RegistryObjectList>", f'<rim:RegistryObjectList xmlns:rim="{RIM}">').encode()
    # no hash, size and repositoryUniqueId yet: a repository would take it, a registry would not
    assert validate(bare, profile=Profile.PROVIDE) == validate(bare, profile="provide") == []
    assert {finding.attribute for finding in validate(bare)} == {"hash", "size", "repositoryUniqueId"}


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="registry, provide, limited, on-demand"):
        validate(provide(), profile="registrar")


def test_every_finding_is_told_with_where_and_why() -> None:
    found = validate(provide(replace=("20260904123000", "20261304")).replace(b"zh-CN", b"z h"))
    assert {(finding.attribute, finding.value) for finding in found} == {
        ("creationTime", "20261304"),
        ("languageCode", "z h"),
    }
    for finding in found:
        assert finding.code == "XDSRegistryMetadataError"
        assert finding.object_id == "D1"
        assert finding.location
        assert finding.section.startswith("ITI TF-3")


def test_documents_and_metadata_must_belong_together() -> None:
    assert codes(validate(provide(document_id="D2"))) == ["XDSMissingDocument", "XDSMissingDocumentMetadata"]


@pytest.mark.parametrize(("name", "value"), [("hash", "a" * 40), ("size", "6")])
def test_a_wrong_hash_or_size_is_found(name: str, value: str) -> None:
    found = validate(provide(replace=(CREATED, slot(name, value) + CREATED)))
    assert codes(found) == ["XDSRepositoryMetadataError"]
    assert value in found[0].message


def test_a_right_hash_and_size_are_none() -> None:
    given = slot("hash", hashlib.sha1(DOCUMENT, usedforsecurity=False).hexdigest()) + slot("size", str(len(DOCUMENT)))
    assert validate(provide(replace=(CREATED, given + CREATED))) == []


def test_documents_that_are_elsewhere_are_not_compared() -> None:
    include = f'<xop:Include xmlns:xop="{XOP}" href="cid:d%401"/>'
    alone = provide(replace=(CREATED, slot("size", "6") + CREATED), content=include)
    assert validate(alone) == []
    assert codes(validate(alone, parts={})) == ["XDSRepositoryError"]


def test_a_document_that_cannot_be_decoded_leaves_the_metadata_to_be_read() -> None:
    found = validate(provide(content="no base64!").replace(b"zh-CN", b"z h"))
    assert codes(found) == ["XDSRegistryMetadataError", "XDSRepositoryError"]


def test_codes_are_compared_with_the_table() -> None:
    table = CodeTable({"confidentialityCode": {("R", "2.16.840.1.113883.5.25"): "restricted"}})
    assert [finding.attribute for finding in validate(provide(), codes=table)] == ["confidentialityCode"]


def test_a_query_is_checked_against_its_parameters() -> None:
    query = messages.iti18(PATIENT)
    notes: list[Finding] = []
    missing = validate(query.replace(b"$XDSDocumentEntryStatus", b"$Status"), notes=notes)
    assert codes(missing) == ["XDSStoredQueryMissingParam"]
    assert missing[0].attribute == missing[0].location == "$XDSDocumentEntryStatus"
    assert [note.attribute for note in notes] == ["$Status"]  # unknown parameters are ignored, and worth a word
    assert codes(validate(query.replace(b"14d4debf", b"00000000"))) == ["XDSUnknownStoredQuery"]


def test_the_old_soap_is_found_and_its_body_is_read() -> None:
    old = provide(document_id="D2").replace(SOAP.encode(), SOAP11.encode())
    assert [finding.attribute for finding in validate(old)] == ["Envelope", "Document", "Document"]


@pytest.mark.parametrize(
    "data", [b"", b"no XML", b"<a><b></a>", b"<!DOCTYPE a []><a/>", messages.envelope("ITI-18", "")]
)
def test_what_cannot_be_read_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        validate(data)


@pytest.mark.parametrize("data", [b"<a/>", messages.envelope("ITI-18", "<a/>"), b"--mark\r\n\r\n<a/>\r\n--mark--"])
def test_other_messages_are_not_supported(data: bytes) -> None:
    with pytest.raises(UnsupportedMessage):
        validate(data)


def test_the_charset_of_the_content_type_is_heeded() -> None:
    data = provide(replace=("zh-CN", "中文")).decode().encode("gb18030")
    found = validate(data, content_type='application/soap+xml; charset="gb18030"')
    assert [finding.value for finding in found] == ["中文"]


def test_the_library_has_it_at_the_top() -> None:
    assert xds.validate is validate
