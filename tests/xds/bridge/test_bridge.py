"""MDM and ORU messages with documents, through an HL7 v2 endpoint into a real repository."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xds_soap import systems
from xds.bridge import Bridge, LocalTarget, Mapping, MappingError, RemoteTarget, bridge_transactions
from xds.clients.documents import DocumentConsumer, DocumentSource
from xds.datatypes.hl7 import HD
from xds.hl7v2.feeds import Feed, Feeds
from xds.metadata.document_entry import DocumentEntry
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.vocab.ebrim import Status
from xds_mllp.endpoint import Endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "bridge.toml"
PDF = b"%PDF-1.4\n\0\xff binary\r\n%%EOF"
CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.156.112700.77" extension="42"/>
<title>CDA title</title><effectiveTime value="20260901"/><languageCode code="zh"/></ClinicalDocument>
"""


class Shop:
    """A hospital's interface engine in front of a platform."""

    def __init__(self, platform: systems.Platform, *, remote: bool = False, feeds: Feeds | None = None) -> None:
        self.platform = platform
        consumer = DocumentConsumer(platform.exchange("/registry"), platform.exchange("/repository"))
        local = LocalTarget(platform.repository)
        target = RemoteTarget(DocumentSource(platform.exchange("/repository")), consumer) if remote else local
        rows = bridge_transactions(Bridge(Mapping.load(EXAMPLE), systems.AUTHORITY), target)
        self.consumer = consumer
        self.endpoint = Endpoint([platform.registry], transactions=[*HL7V2_TRANSACTIONS, *rows], feeds=feeds)

    def send(self, message: bytes | str) -> str:
        [answer] = self.endpoint.respond(message if isinstance(message, bytes) else message.encode())
        return answer.decode("utf-8", "replace")

    def found(self) -> list[DocumentEntry]:
        return self.consumer.find_documents(systems.PATIENT)

    def only(self) -> tuple[DocumentEntry, bytes]:
        [entry] = self.found()
        with self.consumer.retrieve(entry) as document:
            return entry, b"".join(document.chunks())


@pytest.fixture(params=["local", "remote"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    with systems.platform(tmp_path) as platform:
        yield Shop(platform, remote=request.param == "remote")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Shop]:
    with systems.platform(tmp_path) as platform:
        yield Shop(platform)


def head(kind: str, *, control_id: str = "M1", charset: str = "UNICODE UTF-8", sender: str = "LAB") -> str:
    return (
        f"MSH|^~\\&|{sender}|EAST|XDS|REGION|20260904120000+0800||{kind}|{control_id}|P|2.5||||||{charset}\r"
        f"PID|1||P0000001^^^&{systems.AUTHORITY}&ISO~MRN7^^^&1.2.156.112700.9&ISO||Invented^Person||19720124|M\r"
        "PV1|1|I\r"
    )


def mdm(
    *observations: str,
    trigger: str = "T02",
    number: str = "D-4711",
    parent: str = "",
    control_id: str = "M1",
    kind: str = "DS",
    charset: str = "UNICODE UTF-8",
) -> str:
    return (
        head(f"MDM^{trigger}^MDM_T02", control_id=control_id, charset=charset)
        + f"TXA|1|{kind}|TX|202609031015|77^Zhang^Wei^^^Dr|20260903120000|||88^Li^Na|||{number}^LIS|{parent}"
        + "|||f.txt|LA\r"
        + "".join(f"OBX|{n}|{observation}\r" for n, observation in enumerate(observations, 1))
    )


def ed(data: bytes, kind: str = "application", subtype: str = "pdf") -> str:
    return f"ED|18842-5^Report^LN||LIS^{kind}^{subtype}^Base64^{base64.b64encode(data).decode()}||||||F"


# --------------------------------------------------------------------------- payloads


def test_lines_of_text_become_one_document(shop: Shop) -> None:
    answer = shop.send(mdm("TX|1^Text||First line ~with tilde escaped \\T\\", "TX|1^Text||\u7b2c\u4e8c\u884c"))
    assert "MSA|AA|M1" in answer, answer
    assert "ACK^T02^ACK" in answer
    entry, document = shop.only()
    assert document.decode() == "First line \nwith tilde escaped &\n\u7b2c\u4e8c\u884c"
    assert entry.mime_type == "text/plain"


def test_formatted_text_is_rendered(local: Shop) -> None:
    assert "|AA|" in local.send(mdm("FT|1^Text||one\\.br\\two\\H\\bold\\N\\\\.in+4\\"))
    assert local.only()[1] == b"one\ntwobold"


def test_a_pdf_arrives_byte_for_byte(shop: Shop) -> None:
    assert "MSA|AA" in shop.send(mdm(ed(PDF)))
    entry, document = shop.only()
    assert document == PDF
    assert entry.mime_type == "application/pdf"
    assert entry.hash == hashlib.sha1(PDF).hexdigest()


@pytest.mark.parametrize(
    ("kind", "subtype"), [("AP", "PDF"), ("application", "octet-stream"), ("", ""), ("text", "plain")]
)
def test_a_pdf_is_recognised_whatever_its_sender_calls_it(local: Shop, kind: str, subtype: str) -> None:
    local.send(mdm(ed(PDF, kind, subtype)))
    assert local.only()[0].mime_type == "application/pdf"


@pytest.mark.parametrize(
    "observation",
    [
        ed(CDA.encode(), "text", "xml"),
        ed(CDA.encode(), "application", "HL7-CDA"),
        ed(
            b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="HL7"\r\n\r\n'
            b"--HL7\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(CDA.encode())
            + b"\r\n--HL7--\r\n",
            "multipart",
            "x-hl7-cda-level-one",
        ),
        "TX|1^CDA||" + CDA.replace("\n", " ").replace("&", "\\T\\"),
    ],
)
def test_a_cda_document_says_its_own_id_title_and_language(local: Shop, observation: str) -> None:
    answer = local.send(mdm(observation))
    assert "MSA|AA" in answer, answer
    entry, document = local.only()
    assert b"<ClinicalDocument" in document
    assert (entry.mime_type, entry.unique_id) == ("text/xml", "1.2.156.112700.77^42")
    assert (entry.title, entry.language_code) == ("CDA title", "zh")
    assert str(entry.creation_time) == "20260903040000"  # the message says when; 12:00 in its zone


def test_a_message_in_gb18030_becomes_a_document_in_utf8(local: Shop) -> None:
    message = mdm("TX|1^Text||\u51fa\u9662\u5c0f\u7ed3", charset="GB 18030-2000").encode("gb18030")
    assert "MSA|AA" in local.send(message)
    assert local.only()[1].decode("utf-8") == "\u51fa\u9662\u5c0f\u7ed3"


# --------------------------------------------------------------------------- metadata


def test_what_the_message_says_is_in_the_metadata(local: Shop) -> None:
    local.send(mdm(ed(PDF)))
    entry, _ = local.only()
    assert entry.type_code is not None
    assert entry.type_code.code == "18842-5"
    assert entry.title == "Discharge summary"
    assert entry.language_code == "zh-CN"
    assert str(entry.source_patient_id) == "MRN7^^^&1.2.156.112700.9&ISO"
    assert entry.source_patient_info is not None
    assert [str(entry.creation_time), str(entry.service_start_time)] == ["20260903040000", "202609030215"]
    [author] = entry.author
    assert author.person is not None
    assert str(author.person).startswith("88^Li^Na")
    assert entry.unique_id.startswith("2.25.")


def test_a_document_number_that_is_an_oid_is_the_unique_id(local: Shop) -> None:
    local.send(mdm(ed(PDF), number="1.2.156.3.4"))
    assert local.only()[0].unique_id == "1.2.156.3.4"


def test_a_type_the_table_does_not_have_takes_the_default(local: Shop) -> None:
    local.send(mdm(ed(PDF), kind="??"))
    entry, _ = local.only()
    assert entry.type_code is not None
    assert entry.type_code.code == "11502-2"


# --------------------------------------------------------------------------- again, and in place of


def test_the_same_message_again_is_acknowledged_and_registered_once(shop: Shop) -> None:
    for _ in range(3):
        assert "MSA|AA" in shop.send(mdm(ed(PDF)))
    assert len(shop.found()) == 1


def test_a_replacement_and_an_addendum_name_their_parent(shop: Shop) -> None:
    assert "MSA|AA" in shop.send(mdm(ed(PDF), number="D1"))
    assert "MSA|AA" in shop.send(mdm(ed(PDF + b"2"), trigger="T10", number="D2", parent="D1^LIS", control_id="M2"))
    [entry] = shop.found()
    assert "MSA|AA" in shop.send(mdm("TX|1||more", trigger="T06", number="D3", parent="D2^LIS", control_id="M3"))
    assert {found.mime_type for found in shop.found()} == {"application/pdf", "text/plain"}
    assert len(shop.consumer.find_documents(systems.PATIENT, status=Status.DEPRECATED)) == 1
    assert entry.entry_uuid in {found.entry_uuid for found in shop.found()}


def test_a_parent_that_is_not_registered_is_named(local: Shop) -> None:
    answer = local.send(mdm(ed(PDF), trigger="T10", parent="NOBODY^LIS"))
    assert "MSA|AE" in answer
    assert "ERR||TXA^1^13|204" in answer
    assert local.found() == []


# --------------------------------------------------------------------------- ORU


def oru(*orders: str) -> str:
    return head("ORU^R01^ORU_R01") + "".join(orders)


def test_results_with_a_pdf_leave_the_values_out(shop: Shop) -> None:
    order = "OBR|1|P1|F1|24331-1^Lipids^LN|||20260903080000|||||||||99^Wang^Fang||||||20260903110000\r"
    answer = shop.send(oru(f"{order}OBX|1|NM|2093-3^Cholesterol^LN||5.2|mmol/L\rOBX|2|{ed(PDF)}\r"))
    assert "MSA|AA" in answer, answer
    assert "ACK^R01^ACK" in answer
    entry, document = shop.only()
    assert document == PDF
    assert str(entry.creation_time) == "20260903030000"
    assert entry.title == "Report"


def test_two_documents_of_one_message_are_one_submission(local: Shop) -> None:
    order = "OBR|{0}||F{0}|24331-1^Lipids^LN|||20260903080000\rOBX|{0}|{1}\r"
    assert "MSA|AA" in local.send(oru(order.format(1, ed(PDF)), order.format(2, ed(PDF + b"2"))))
    assert len(local.found()) == 2
    query = local.consumer.query(
        "FindSubmissionSets", submission_set_patient_id=systems.PATIENT, submission_set_status=Status.APPROVED
    )
    assert len(query.submission_sets) == 1


def test_results_without_a_document_are_acknowledged_without_effect(local: Shop) -> None:
    assert "MSA|AA" in local.send(oru("OBR|1||F1|24331-1^Lipids^LN\rOBX|1|NM|2093-3||5.2\r"))
    assert local.found() == []


# --------------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (mdm("ED|1||LIS^application^pdf^Base64^!!!"), "ERR||OBX^1^5^1^5|102"),
        (mdm("ED|1||LIS^application^pdf^Base64^"), "ERR||OBX^1^5^1^5|101"),
        (mdm("ED|1||LIS^application^pdf^Zip^AAAA"), "ERR||OBX^1^5^1^4|103"),
        (mdm("RP|1||http://his.example/doc"), "ERR||OBX^1^2|102"),
        (mdm(), "ERR||OBX^1^5|101"),
        (mdm(ed(PDF), ed(PDF)), "ERR||OBX^2^5|102"),
        (mdm(ed(PDF), number=""), "ERR||TXA^1^12|101"),
        (mdm(ed(b"<ClinicalDocument xmlns='urn:hl7-org:v3'>", "text", "xml")), "ERR||OBX^1^5|102"),
        (mdm(ed(PDF)).replace(systems.AUTHORITY, "1.2.3.4"), "ERR||PID^1^3|204"),
        (mdm(ed(PDF)).replace("|LAB|", "|RIS|"), "ERR||MSH^1^3|103"),
        (head("MDM^T02^MDM_T02") + f"OBX|1|{ed(PDF)}\r", "ERR||TXA"),
        (head("ORU^R01^ORU_R01"), "ERR||OBR"),
    ],
)
def test_what_cannot_become_a_submission_is_answered_with_its_place(local: Shop, message: str, error: str) -> None:
    answer = local.send(message)
    assert "MSA|AE|M1" in answer or "MSA|AR|M1" in answer, answer
    assert error in answer
    assert local.found() == []


def test_what_the_registry_refuses_is_the_answer(tmp_path: Path) -> None:
    with systems.platform(tmp_path, patients="known") as platform:
        answer = Shop(platform).send(mdm(ed(PDF)))
        assert "MSA|AE" in answer
        assert "ERR||PID^1^3|204" in answer
        assert "XDSUnknownPatientId" in answer


def test_a_number_that_comes_with_another_document_is_refused(local: Shop) -> None:
    local.send(mdm(ed(PDF)))
    answer = local.send(mdm(ed(PDF + b"other"), control_id="M2"))
    assert "MSA|AE" in answer
    assert "ERR||TXA^1^12|207" in answer
    assert "XDSNonIdenticalHash" in answer
    assert len(local.found()) == 1


@pytest.mark.parametrize("trigger", ["T01", "T11"])
def test_a_notification_without_content_is_acknowledged_and_counted(local: Shop, trigger: str) -> None:
    assert "MSA|AA" in local.send(mdm(ed(PDF), trigger=trigger))
    assert local.found() == []
    assert local.endpoint.counts[f"unknown trigger MDM^{trigger}"] == 1


def test_an_identifier_without_authority_is_that_of_the_feed(tmp_path: Path) -> None:
    feeds = Feeds([Feed(application="LAB", assigning_authority=HD("EAST", systems.AUTHORITY, "ISO"))])
    with systems.platform(tmp_path) as platform:
        shop = Shop(platform, feeds=feeds)
        message = mdm(ed(PDF)).replace(f"P0000001^^^&{systems.AUTHORITY}&ISO", "P0000001^^^EAST")
        assert "MSA|AA" in shop.send(message)
        assert len(shop.found()) == 1


# --------------------------------------------------------------------------- the mapping file

GOOD = EXAMPLE.read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('source_id = "1.2.156.112700.5"', 'source_id = "EAST"', "sender 1: source_id must be an OID"),
        ('table = "types"', 'table = "kinds"', "there is no [tables.kinds]"),
        ('from = "TXA-2"', 'from = "TXA2"', "codes.type_code.from: write SEGMENT-FIELD"),
        ('time_zone = "+08:00"', 'time_zone = "Asia"', "an offset like +08:00"),
        ("institution =", "instituton =", "there is no 'instituton'"),
        ("format_code =", "formatcode =", "there is no 'formatcode'"),
        ("[[sender]]", "[sender]", "at least one [[sender]]"),
        ("DS = {", "DS = 3 #", "tables.types.DS must be a table"),
        ("[[sender]]", "[[sender]", "not TOML"),
    ],
)
def test_a_mapping_that_cannot_be_used_names_its_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    (tmp_path / "m.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(MappingError) as raised:
        Mapping.load(tmp_path / "m.toml")
    assert words in str(raised.value)


def test_a_mapping_lacks_no_required_code(tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith("class_code")]
    (tmp_path / "m.toml").write_text("\n".join(lines))
    with pytest.raises(MappingError, match="codes lacks class_code"):
        Mapping.load(tmp_path / "m.toml")
