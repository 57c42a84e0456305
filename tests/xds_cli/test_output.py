"""What commands print can be read by people and by programs."""

from __future__ import annotations

import json

import pytest

from xds.errors import RegistryError
from xds.vocab.ebrim import Severity
from xds.vocab.errors import ErrorCode
from xds_cli.output import print_errors, print_json, print_table, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (9_999, "9,999 B"),
        (10_000, "10.0 kB"),
        (123_456, "123.5 kB"),
        (1_500_000, "1.5 MB"),
        (2_500_000_000, "2.5 GB"),
        (2_500_000_000_000, "2,500.0 GB"),
    ],
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert size_text(size) == text


def test_json_is_one_object_per_line_and_keeps_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"title": "出院小结"}, {"title": "b"}])
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["出院小结", "b"]
    assert "出院小结" in lines[0]


def test_square_brackets_in_a_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["title"], [["[bold]draft[/bold]"]])
    assert "[bold]draft[/bold]" in capsys.readouterr().out


def test_errors_of_a_peer_are_printed_with_code_location_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    error = RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "nobody knows P1", "Document01", Severity.ERROR)
    print_errors("submit", "refused", [error], as_json=True)
    out, err = capsys.readouterr()
    assert "XDSUnknownPatientId at Document01: nobody knows P1" in err
    assert json.loads(out) == {
        "error": "XDSUnknownPatientId",
        "context": "nobody knows P1",
        "location": "Document01",
        "severity": "Error",
    }
