"""Bytes into an endpoint and out of it: every fault, what is tolerated, and what becomes of an actor's exceptions."""

from __future__ import annotations

import base64
import logging
import re
from typing import Any

import pytest
from lxml import etree

from tests.xds_soap import echo
from xds.errors import (
    MalformedMessage,
    PeerRejected,
    PeerUnreachable,
    RegistryError,
    RequestRejected,
    StoreUnavailable,
    UnsupportedMessage,
)
from xds.vocab.actors import Actor
from xds.vocab.errors import ErrorCode
from xds.vocab.namespaces import SOAP, SOAP11, WSA
from xds_soap import Limits, SoapEndpoint, SoapReply

S, A = f"{{{SOAP}}}", f"{{{WSA}}}"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
MESSAGE_ID = "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83"


def ask(body: bytes, content_type: str = echo.PLAIN_TYPE, **headers: str) -> tuple[SoapReply, echo.Served]:
    served = echo.served()
    return served.endpoint.handle("/repository", content_type, body, headers=headers), served


def parsed(reply: SoapReply) -> etree._Element:
    return etree.fromstring(reply.content)


def fault_of(reply: SoapReply) -> tuple[list[str], etree._Element]:
    """Code and subcodes of a fault, and the envelope it came in."""
    envelope = parsed(reply)
    values = [value.text or "" for value in envelope.iterfind(f"{S}Body/{S}Fault/{S}Code//{S}Value")]
    return values, envelope


def header(envelope: etree._Element, name: str) -> str | None:
    return envelope.findtext(f"{S}Header/{A}{name}")


# --------------------------------------------------------------------------- the good case


def test_a_plain_request_is_answered_plainly() -> None:
    reply, served = ask(echo.envelope())
    assert reply.status == 200
    assert reply.header("content-type") == "application/soap+xml; charset=UTF-8"
    assert reply.header("content-length") == str(len(reply.content))
    envelope = parsed(reply)
    assert header(envelope, "Action") == "urn:test:EchoResponse"
    assert header(envelope, "RelatesTo") == MESSAGE_ID
    action = envelope.find(f"{S}Header/{A}Action")
    assert action is not None
    assert action.get(f"{S}mustUnderstand") == "true"
    assert served.actor.seen[0].text == "hello"
    assert served.endpoint.metrics.requests("Echo", "answered") == 1


def test_documents_come_back_inline_when_the_request_was_plain() -> None:
    text = base64.b64encode(b"document").decode()
    body = f'<x:Echo xmlns:x="urn:ihe:iti:xds-b:2007"><x:Document>{text}</x:Document></x:Echo>'
    reply, _ = ask(echo.envelope(body))
    assert parsed(reply).findtext(".//{urn:ihe:iti:xds-b:2007}Document") == text


def test_a_package_is_answered_with_a_package_also_without_documents() -> None:
    data, content_type = echo.package(echo.envelope())
    reply, _ = ask(data, content_type)
    kind = reply.header("content-type") or ""
    assert re.fullmatch(
        r'multipart/related; boundary="xds-\w+"; type="application/xop\+xml"; start="<root\.\w+@ihe-xds>"; '
        r'start-info="application/soap\+xml"',
        kind,
    )
    assert reply.content.count(b"\r\nContent-ID: <") == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(echo.envelope(action="urn:test:Unknown"), id="fault"),
        pytest.param(b"not XML", id="unreadable envelope"),
    ],
)
def test_a_fault_is_packaged_as_its_request_was(body: bytes) -> None:
    data, content_type = echo.package(body)
    packaged, _ = ask(data, content_type)
    assert (packaged.header("content-type") or "").startswith("multipart/related")
    plain, _ = ask(body)
    assert (plain.header("content-type") or "").startswith("application/soap+xml")
    assert packaged.status == plain.status == 400


def test_an_answer_that_waits_for_the_disk_is_waited_for() -> None:
    reply, served = ask(echo.envelope(action=echo.STORE))
    assert reply.status == 200
    assert served.actor.seen[0].text == "hello"


# --------------------------------------------------------------------------- faults, row by row

NO_HEADER = f'<s:Envelope xmlns:s="{SOAP}"><s:Body><x/></s:Body></s:Envelope>'.encode()
STYLE = 'xmlns:s="http://www.w3.org/2003/05/soap-envelope" s:encodingStyle'

FAULTS = [
    ("another envelope namespace", echo.envelope(namespace="urn:soap:13"), 500, ["s:VersionMismatch"]),
    (
        "header not understood",
        echo.envelope(headers='<q:Q xmlns:q="urn:q" s:mustUnderstand="1"/>'),
        500,
        ["s:MustUnderstand"],
    ),
    ("header not understood, true", echo.envelope(headers='<Q s:mustUnderstand=" true "/>'), 500, ["s:MustUnderstand"]),
    ("not well-formed", echo.envelope()[:-5], 400, ["s:Sender"]),
    ("empty", b"", 400, ["s:Sender"]),
    ("a document type", b'<!DOCTYPE a [<!ENTITY e "x">]>' + echo.envelope(), 400, ["s:Sender"]),
    ("not an envelope", b"<a/>", 400, ["s:Sender"]),
    ("two Bodies", f'<s:Envelope xmlns:s="{SOAP}"><s:Body/><s:Body/></s:Envelope>'.encode(), 400, ["s:Sender"]),
    (
        "two Headers",
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header/><s:Header/><s:Body/></s:Envelope>'.encode(),
        400,
        ["s:Sender"],
    ),
    ("Header last", f'<s:Envelope xmlns:s="{SOAP}"><s:Body/><s:Header/></s:Envelope>'.encode(), 400, ["s:Sender"]),
    ("no Body", f'<s:Envelope xmlns:s="{SOAP}"><s:Header/></s:Envelope>'.encode(), 400, ["s:Sender"]),
    ("empty Body", echo.envelope(""), 400, ["s:Sender"]),
    ("two elements in the Body", echo.envelope("<a/><b/>"), 400, ["s:Sender"]),
    ("malformed content", echo.envelope(echo.body_with("missing")), 400, ["s:Sender"]),
    (
        "unknown action",
        echo.envelope(action="urn:test:Unknown"),
        400,
        ["s:Sender", "wsa:ActionNotSupported"],
    ),
    (
        "action of another element",
        echo.envelope('<x:Other xmlns:x="urn:ihe:iti:xds-b:2007"/>'),
        400,
        ["s:Sender", "wsa:InvalidAddressingHeader", "wsa:ActionMismatch"],
    ),
    ("action missing", echo.envelope(action=None), 400, ["s:Sender", "wsa:MessageAddressingHeaderRequired"]),
    ("action empty", echo.envelope(action=" "), 400, ["s:Sender", "wsa:MessageAddressingHeaderRequired"]),
    ("no header at all", NO_HEADER, 400, ["s:Sender", "wsa:MessageAddressingHeaderRequired"]),
    *[
        (
            f"{name} twice",
            echo.envelope(headers=f"<a:{name}>{content}</a:{name}>" * (1 + (name in {"To", "From"}))),
            400,
            ["s:Sender", "wsa:InvalidAddressingHeader", "wsa:InvalidCardinality"],
        )
        for name, content in [
            ("Action", echo.ECHO),
            ("MessageID", "urn:x"),
            ("To", "urn:x"),
            ("ReplyTo", f"<a:Address>{echo.ANONYMOUS}</a:Address>"),
            ("From", "<a:Address>urn:x</a:Address>"),
        ]
    ],
    (
        "ReplyTo without address",
        echo.envelope(reply_to=None, headers="<a:ReplyTo/>"),
        400,
        ["s:Sender", "wsa:InvalidAddressingHeader", "wsa:InvalidEPR"],
    ),
    (
        "ReplyTo elsewhere",
        echo.envelope(reply_to="http://his.example/answers"),
        400,
        ["s:Sender", "wsa:InvalidAddressingHeader", "wsa:OnlyAnonymousAddressSupported"],
    ),
    ("encodingStyle", echo.envelope(f'<Echo {STYLE}="urn:encoding"/>'), 500, ["s:DataEncodingUnknown"]),
]


@pytest.mark.parametrize(("body", "status", "codes"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_has_its_code_and_status(body: bytes, status: int, codes: list[str]) -> None:
    reply, served = ask(body)
    found, envelope = fault_of(reply)
    assert (found, reply.status) == (codes, status)
    action = f"{WSA}/fault" if len(codes) > 1 else f"{WSA}/soap/fault"
    assert header(envelope, "Action") == action
    assert served.actor.seen == []
    assert served.store.left == []
    [_, reason] = list(envelope.iterfind(f"{S}Body/{S}Fault/*"))[:2]
    assert reason.find(f"{S}Text") is not None
    assert served.endpoint.metrics.requests("none", "fault") + served.endpoint.metrics.requests("Echo", "fault") == 1


def test_a_fault_relates_to_its_request() -> None:
    _, envelope = fault_of(ask(echo.envelope(action="urn:test:Unknown"))[0])
    assert header(envelope, "RelatesTo") == MESSAGE_ID


def test_details_name_what_is_wrong() -> None:
    _, envelope = fault_of(ask(echo.envelope(action="urn:test:Unknown"))[0])
    assert envelope.findtext(f".//{S}Detail/{A}ProblemAction/{A}Action") == "urn:test:Unknown"
    _, envelope = fault_of(ask(echo.envelope(action=None))[0])
    assert envelope.findtext(f".//{S}Detail/{A}ProblemHeaderQName") == "wsa:Action"


def test_each_header_that_is_not_understood_is_named() -> None:
    blocks = '<q:Q xmlns:q="urn:q" s:mustUnderstand="1"/><R s:mustUnderstand="1"/>'
    _, envelope = fault_of(ask(echo.envelope(headers=blocks))[0])
    named = envelope.findall(f"{S}Header/{S}NotUnderstood")
    assert [element.get("qname") for element in named] == ["h:Q", "R"]
    assert named[0].nsmap["h"] == "urn:q"


def test_soap_11_is_told_to_upgrade_in_its_own_words() -> None:
    reply, _ = ask(echo.envelope(namespace=SOAP11), "text/xml; charset=UTF-8", soapaction=f'"{echo.ECHO}"')
    assert reply.status == 500
    assert reply.header("content-type") == "text/xml; charset=UTF-8"
    envelope = parsed(reply)
    assert envelope.tag == f"{{{SOAP11}}}Envelope"
    assert (envelope.findtext(".//faultcode") or "").endswith(":VersionMismatch")
    assert envelope.find(f"{{{SOAP11}}}Header/{S}Upgrade/{S}SupportedEnvelope") is not None


def test_another_version_is_told_which_one_is_supported() -> None:
    _, envelope = fault_of(ask(echo.envelope(namespace="urn:soap:13"))[0])
    assert envelope.find(f"{S}Header/{S}Upgrade/{S}SupportedEnvelope") is not None


# --------------------------------------------------------------------------- what is tolerated

TOLERATED = [
    ("no MessageID", echo.envelope(message_id=None), {}, "no_message_id"),
    ("no ReplyTo", echo.envelope(reply_to=None), {}, "no_reply_to"),
    ("action in SOAPAction", echo.envelope(action=None), {"soapaction": f'"{echo.ECHO}"'}, "action_outside_envelope"),
    ("Async action", echo.envelope(action=f"{echo.ECHO}Async"), {}, "async_action"),
    (
        "security header",
        echo.envelope(headers=f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1"><w:T/></w:Security>'),
        {},
        "security_header",
    ),
]


@pytest.mark.parametrize(
    ("body", "headers", "counted"), [row[1:] for row in TOLERATED], ids=[row[0] for row in TOLERATED]
)
def test_departures_are_tolerated_and_counted(body: bytes, headers: dict[str, str], counted: str) -> None:
    reply, served = ask(body, **headers)
    assert reply.status == 200, reply.content
    assert served.endpoint.metrics.tolerated(counted) == 1


def test_the_action_may_stand_in_the_content_type_alone() -> None:
    reply, _ = ask(echo.envelope(action=None), f'{echo.PLAIN_TYPE}; action="{echo.ECHO}"')
    assert reply.status == 200


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml", "application/soap+xml"])
def test_soap_12_is_read_under_any_xml_content_type(content_type: str) -> None:
    assert ask(echo.envelope(), content_type)[0].status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            echo.envelope(action=f"\n  {echo.ECHO}\t", message_id=f" {MESSAGE_ID} "), id="blanks around values"
        ),
        pytest.param(echo.envelope(headers='<q:Q xmlns:q="urn:q"/>'), id="unknown header"),
        pytest.param(echo.envelope(headers='<q:Q xmlns:q="urn:q" s:mustUnderstand="0"/>'), id="not mandatory"),
        pytest.param(echo.envelope(headers='<Q s:mustUnderstand="1" s:role="urn:other"/>'), id="for another role"),
        pytest.param(
            echo.envelope(headers='<a:Action s:role="urn:other">x</a:Action>'), id="an Action for another role"
        ),
        pytest.param(echo.envelope(headers="<a:To>urn:anything</a:To>"), id="any To"),
        pytest.param(echo.envelope(reply_to=f" {echo.ANONYMOUS}\n"), id="blanks around the address"),
        pytest.param(b"\xef\xbb\xbf" + echo.envelope(), id="byte order mark"),
        pytest.param(b'\n<?xml version="1.0"?>' + echo.envelope(), id="a line before the declaration"),
        pytest.param(echo.envelope().decode().encode("utf-16"), id="UTF-16"),
    ],
)
def test_these_are_read_without_a_word(body: bytes) -> None:
    reply, _ = ask(body, "application/soap+xml")
    assert reply.status == 200, reply.content
    assert header(parsed(reply), "RelatesTo") == MESSAGE_ID


def test_an_answer_without_message_id_relates_to_the_unspecified_message() -> None:
    reply, _ = ask(echo.envelope(message_id=None))
    assert header(parsed(reply), "RelatesTo") == f"{WSA}/unspecified"


# --------------------------------------------------------------------------- HTTP


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/nowhere", echo.PLAIN_TYPE, 404),
        ("/registry", echo.PLAIN_TYPE, 404),  # no such actor here
        ("/repository", "application/json", 415),
        ("/repository", "", 415),
        ("/repository", "multipart/form-data; boundary=x", 415),
    ],
)
def test_what_is_no_soap_is_refused_by_http(path: str, content_type: str, status: int) -> None:
    served = echo.served()
    assert served.endpoint.handle(path, content_type, echo.envelope()).status == status
    assert served.actor.seen == []


def test_an_unknown_content_encoding_is_refused() -> None:
    reply, _ = ask(b"", **{"content-encoding": "br"})
    assert reply.status == 415


def test_requests_have_a_size() -> None:
    served = echo.served(limits=Limits(request=1000))
    reply = served.endpoint.handle("/repository", echo.PLAIN_TYPE, [echo.envelope(), b" " * 1000])
    assert reply.status == 413
    assert served.actor.seen == []


def test_actions_are_found_behind_their_path_only() -> None:
    actor, store = echo.EchoActor(), echo.EchoStore()
    endpoint = SoapEndpoint(
        {Actor.DOCUMENT_REPOSITORY: actor, Actor.DOCUMENT_REGISTRY: actor},
        store,
        transactions=echo.TRANSACTIONS,
        paths={"/a": [Actor.DOCUMENT_REPOSITORY], "/b": [Actor.DOCUMENT_REGISTRY], "/c": list(Actor)},
    )
    assert endpoint.paths == ("/a", "/c")
    assert endpoint.handle("/a", echo.PLAIN_TYPE, echo.envelope()).status == 200
    assert endpoint.handle("/c", echo.PLAIN_TYPE, echo.envelope()).status == 200
    assert endpoint.handle("/b", echo.PLAIN_TYPE, echo.envelope()).status == 404


# --------------------------------------------------------------------------- what actors raise

SECRET = "Zhang^Wei 19720124"

RAISED = [
    (
        RequestRejected(ErrorCode.UNKNOWN_PATIENT_ID, context=SECRET),
        [("XDSUnknownPatientId", SECRET)],
        "rejected",
    ),
    (
        RequestRejected.of([RegistryError(ErrorCode.MISSING_DOCUMENT), RegistryError(ErrorCode.DOCUMENT_QUEUED, "x")]),
        [("XDSMissingDocument", ""), ("DocumentQueued", "x")],
        "rejected",
    ),
    (PeerRejected("no", [RegistryError("XDSReplaceFailed", "y")]), [("XDSReplaceFailed", "y")], "rejected"),
    (StoreUnavailable("full"), [("BUSY", None)], "unavailable"),
    (PeerUnreachable("timeout"), [("XDSRegistryNotAvailable", None)], "unavailable"),
    (KeyError(SECRET), [("INTERNAL", "internal error")], "failed"),
    (MalformedMessage("inside"), [("INTERNAL", "internal error")], "failed"),
    (UnsupportedMessage("inside"), [("INTERNAL", "internal error")], "failed"),
]
CODES = {
    echo.ECHO: {"BUSY": "XDSRegistryBusy", "INTERNAL": "XDSRegistryError"},
    echo.STORE: {"BUSY": "XDSRepositoryBusy", "INTERNAL": "XDSRepositoryError"},
}


@pytest.mark.parametrize("action", [echo.ECHO, echo.STORE])
@pytest.mark.parametrize(("error", "expected", "outcome"), RAISED, ids=[type(row[0]).__name__ for row in RAISED])
def test_what_an_actor_raises_becomes_the_transactions_own_answer(
    action: str,
    error: Exception,
    expected: list[tuple[str, str | None]],
    outcome: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = echo.served()

    def fail(echoed: echo.Echoed) -> Any:
        raise error

    served.actor.behave = fail
    reply = served.endpoint.handle("/repository", echo.PLAIN_TYPE, echo.envelope(action=action))
    assert reply.status == 200
    envelope = parsed(reply)
    assert header(envelope, "Action") == f"{action}Response"
    found = [(e.get("errorCode"), e.get("codeContext")) for e in envelope.iter("{*}RegistryError")]
    assert [code for code, _ in found] == [CODES[action].get(code, code) for code, _ in expected]
    assert all(want is None or want == got for (_, got), (_, want) in zip(found, expected, strict=True))
    assert served.endpoint.metrics.requests(action.removeprefix("urn:test:"), outcome) == 1
    assert SECRET not in caplog.text
    assert len(caplog.records) == (outcome == "failed")


def test_a_bug_is_logged_once_with_place_and_message_id(caplog: pytest.LogCaptureFixture) -> None:
    served = echo.served()
    served.actor.behave = lambda echoed: {}[echoed.text]
    body = echo.body_with(text=SECRET)
    with caplog.at_level(logging.DEBUG):
        served.endpoint.handle("/repository", echo.PLAIN_TYPE, echo.envelope(body))
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert MESSAGE_ID in record.getMessage()
    assert "KeyError" in record.getMessage()
    assert "test_endpoint.py" in record.getMessage()
    assert SECRET not in caplog.text


def test_what_a_peer_says_in_a_fault_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    served = echo.served()

    def fail(echoed: echo.Echoed) -> Any:
        raise PeerRejected(f"the registry answered with a fault: nobody is called {SECRET}")

    served.actor.behave = fail
    served.endpoint.handle("/repository", echo.PLAIN_TYPE, echo.envelope())
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().endswith("PeerRejected")
    assert SECRET not in caplog.text


def test_a_failing_store_while_staging_is_a_fault_that_says_so() -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", b"x")])
    served = echo.served()
    served.store.broken = StoreUnavailable("disk full at /secret")
    reply = served.endpoint.handle("/repository", content_type, data)
    assert reply.status == 500
    assert b"wsa:EndpointUnavailable" in reply.content
    assert b"/secret" not in reply.content
    assert served.store.left == []


def test_a_bug_while_staging_is_a_receiver_fault_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", b"x")])
    served = echo.served()
    served.store.broken = OSError("/secret")
    reply = served.endpoint.handle("/repository", content_type, data)
    assert reply.status == 500
    assert b"s:Receiver" in reply.content
    assert b"/secret" not in reply.content
    assert "/secret" not in caplog.text
    assert len(caplog.records) == 1


def test_a_large_answer_is_read_while_it_is_sent() -> None:
    document = b"0123456789abcdef" * 65536
    data, content_type = echo.package(echo.envelope(echo.body_with("d")), [("d", document)])
    reply, _ = ask(data, content_type)
    assert not isinstance(reply.chunks, list)
    size = reply.header("content-length")
    content = reply.content
    assert document in content
    assert size == str(len(content))
