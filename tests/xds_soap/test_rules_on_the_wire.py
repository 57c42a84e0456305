"""Metadata that breaks a rule is answered through SOAP with Failure and one RegistryError for what is wrong; and a bug
of ours with the code of the transaction and nothing about our insides.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.evidence import messages
from tests.xds.metadata.rules.breaking import breaking
from tests.xds_soap import systems
from xds.ebxml import rs, xml
from xds.metadata.rules import RULES, Profile, Rule, check
from xds.vocab.namespaces import RS

# what a message can carry and a registry that limits no codes finds wrong in it; an object without id gets one when it
# is read, so what is said about it names another each time
ON_THE_WIRE = [
    rule
    for rule in RULES
    if not rule.tolerated
    and "in domain" not in rule.name
    and not rule.name.endswith(": id required")
    and breaking(rule)[1] in (Profile.XDS, Profile.PROVIDE)
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[systems.Platform]:
    with systems.platform(tmp_path_factory.mktemp("rules")) as platform:
        yield platform


def errors(content: bytes) -> list[etree._Element]:
    found = re.search(rb"<s:Envelope.*</s:Envelope>", content, re.DOTALL)
    assert found is not None, content
    return list(etree.fromstring(found[0]).iter(f"{{{RS}}}RegistryError"))


@pytest.mark.parametrize("rule", ON_THE_WIRE, ids=lambda rule: rule.name)
def test_a_broken_rule_is_a_registry_error(rule: Rule, platform: systems.Platform) -> None:
    submission, _ = breaking(rule)
    try:
        body = rs.encode_submit_objects(submission)
    except ValueError:
        pytest.skip("this cannot be written as ebRIM")
    again = rs.decode_submit_objects(systems.rooted(body))
    expected = [finding.to_error() for finding in check(again, profile=Profile.XDS)]
    if not expected:
        pytest.skip("writing it sets it right, or a registry does not mind")
    request = messages.envelope("ITI-42", body.decode()).replace(b"<s:Envelope", b"<s:Envelope" + xml.PREFIXES, 1)
    answer = platform.endpoint.handle("/registry", messages.SOAP_TYPE, request)
    content = b"".join(answer.chunks)
    assert answer.status == 200
    assert b"ResponseStatusType:Failure" in content
    said = [(error.get("errorCode"), error.get("codeContext")) for error in errors(content)]
    for error in expected:
        assert (str(error.code), error.context) in said
    assert all(error.get("severity", "").rpartition(":")[2] in ("Error", "Warning") for error in errors(content))


def test_most_rules_are_tested_here() -> None:
    assert len(ON_THE_WIRE) > 200


SECRET = "Zhuge"
REQUESTS = {
    "ITI-18": ("/registry", messages.SOAP_TYPE, messages.iti18(messages.patient(1)), "XDSRegistryError"),
    "ITI-42": ("/registry", messages.SOAP_TYPE, messages.iti42("1.2.3", messages.patient(1), b"x"), "XDSRegistryError"),
    "ITI-41": (
        "/repository",
        messages.MTOM_TYPE,
        messages.iti41("1.2.3", messages.patient(1), b"x"),
        "XDSRepositoryError",
    ),
    "ITI-43": ("/repository", messages.MTOM_TYPE, messages.iti43("1.2.3"), "XDSRepositoryError"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bug_of_ours_says_nothing_of_our_insides(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, kind, body, code = REQUESTS[name]

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(SECRET)

    with systems.platform(tmp_path) as platform:
        monkeypatch.setattr(type(platform.store), "submit", broken)
        monkeypatch.setattr(type(platform.store), "read", broken)
        with caplog.at_level(logging.INFO):
            answer = platform.endpoint.handle(path, kind, body)
    content = b"".join(answer.chunks)
    assert b"Failure" in content
    assert [error.get("errorCode") for error in errors(content)] == [code]
    for inside in (SECRET, "ZeroDivision", "Traceback", ".py"):
        assert inside.encode() not in content
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "urn:uuid:evidence" in record.getMessage()
    assert "ZeroDivisionError" in record.getMessage()
    assert "test_rules_on_the_wire.py" in record.getMessage()
    assert SECRET not in caplog.text
