"""``xds serve --bridge``: a document comes in by MLLP and goes out by SOAP."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.xds_cli.running import announcement, running, start_failing
from tests.xds_cli.test_documents import xds

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bridge.toml"
PDF = b"%PDF-1.7\r\n\0\xff\r\n%%EOF\n"


def mdm(patient: str) -> str:
    return (
        "MSH|^~\\&|LAB|EAST|XDS|REG|20260904120000||MDM^T02^MDM_T02|D1|P|2.5\r"
        f"PID|1||{patient}^^^&1.3.6.1.4.1.21367.13.20.1000&ISO||Invented^Person||19700101|F\r"
        "TXA|1|DS|TX|202609031015|77^Doctor^Any|||||||1.2.156.99.1\r"
        f"OBX|1|ED|1^Report||LIS^application^pdf^Base64^{base64.b64encode(PDF).decode()}\r"
    )


def test_a_document_in_a_message_is_found_and_retrieved(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--bridge", str(EXAMPLE)) as server:
        assert "MSA|AA" in server.feed(announcement(1))
        refused = server.feed(mdm("P2"))
        assert "MSA|AE" in refused
        assert "ERR||PID^1^3|204" in refused
        assert "MSA|AA" in server.feed(mdm("P1"))
        assert "MSA|AA" in server.feed(mdm("P1"))
        found = xds(server, "find", "--patient", "P1", "--json")
        [row] = [json.loads(line) for line in found.stdout.splitlines()]
        assert row["unique_id"] == "1.2.156.99.1"
        xds(server, "get", "1.2.156.99.1", "--output", str(tmp_path / "got.pdf"))
        assert (tmp_path / "got.pdf").read_bytes() == PDF
        metrics = server.get("/metrics")[1]
        assert 'xds_hl7v2_answers_total{code="AA"} 3' in metrics
        assert 'xds_hl7v2_answers_total{code="AE"} 1' in metrics


@pytest.mark.parametrize(("content", "words"), [(None, "can be read"), ("[[sender]]\n", "source_id must be an OID")])
def test_a_mapping_that_cannot_be_used_ends_the_start(tmp_path: Path, content: str | None, words: str) -> None:
    mapping = tmp_path / "mapping.toml"
    if content is not None:
        mapping.write_text(content)
    ended = start_failing("--data", str(tmp_path / "data"), "--bridge", str(mapping))
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
