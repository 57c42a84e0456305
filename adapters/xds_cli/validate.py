"""``xds validate``: what a registry or repository would find wrong with a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from xds.errors import MalformedMessage, UnsupportedMessage
from xds.metadata.codes import CodeTable
from xds.metadata.rules import Finding
from xds.metadata.rules.finding import KIND_NAMES
from xds.transactions.validate import named
from xds.transactions.validate_hl7v2 import Hl7Finding, is_hl7v2
from xds.transactions.validate_hl7v2 import validate as validate_hl7v2
from xds_cli.output import print_table
from xds_soap.capture import validate

CLEAN, FOUND, UNREADABLE = 0, 1, 2
COLUMNS: Final = ("code", "object", "attribute", "value", "location", "section", "message")
HL7V2_COLUMNS: Final = ("message_number", "code", "location", "message")
_MAX_SHOWN: Final = 200


def run(
    files: Sequence[Path], *, profile: str | None, codes: Path | None, content_type: str | None, as_json: bool
) -> int:
    """Validate files (``-`` is standard input), print what was found, and say the exit code.

    Raises ValueError for an unknown profile or a code table that is none, OSError when the table cannot be read.
    """
    known, table = named(profile), CodeTable.load(codes) if codes is not None else None
    code, rows = CLEAN, []
    for file in files:
        notes: list[Finding] = []
        try:
            data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
            if is_hl7v2(data):
                errors = validate_hl7v2(data)
                code = max(code, FOUND if any(not error.tolerated for error in errors) else CLEAN)
                rows += [{"file": str(file), **hl7v2_row(error)} for error in errors]
                if not as_json:
                    show_hl7v2(file, errors)
                continue
            findings = validate(data, content_type=content_type, profile=known, codes=table, notes=notes)
        except OSError as error:
            print(f"xds validate: {file}: {error.strerror or 'cannot be read'}", file=sys.stderr)
            code = UNREADABLE
            continue
        except (MalformedMessage, UnsupportedMessage) as error:
            print(f"xds validate: {file}: {error}", file=sys.stderr)
            code = UNREADABLE
            continue
        if findings:
            code = max(code, FOUND)
        if as_json:
            rows += [{"file": str(file), **row(finding)} for finding in (*findings, *notes)]
        else:
            show(file, findings, notes)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return code


def row(finding: Finding) -> dict[str, str | bool]:
    """A finding by the names of the columns, and whether a receiver lets it pass."""
    kind = KIND_NAMES[finding.kind] if finding.kind is not None else ""
    return {
        "code": str(finding.code),
        "object": f"{kind} {finding.object_id}".strip(),
        "attribute": finding.attribute,
        "value": finding.value,
        "location": finding.location,
        "section": finding.section,
        "message": finding.detail or finding.rule.text,
        "tolerated": finding.rule.tolerated,
    }


def show(file: Path, findings: Sequence[Finding], notes: Sequence[Finding]) -> None:
    """A line for the file, the table of findings, the table of tolerances."""
    print(f"{file}: {_count(findings, 'finding') if findings else 'clean'}")
    if findings:
        print_table(COLUMNS, map(_cells, findings))
    if notes:
        print(f"{file}: {_count(notes, 'deviation')} that a receiver tolerates")
        print_table(COLUMNS[1:], (_cells(note)[1:] for note in notes))


def hl7v2_row(finding: Hl7Finding) -> dict[str, str | bool]:
    """A finding in an HL7 v2 message by the names of the columns."""
    error = finding.error
    return {
        "message_number": str(finding.number),
        "code": f"{error.code.value} {error.code.text}",
        "location": str(error.location or ""),
        "message": error.text,
        "tolerated": finding.tolerated,
    }


def show_hl7v2(file: Path, findings: Sequence[Hl7Finding]) -> None:
    """A line for the file, the table of findings, the table of what only strict feeds refuse."""
    refused = [finding for finding in findings if not finding.tolerated]
    tolerated = [finding for finding in findings if finding.tolerated]
    print(f"{file}: {_count(refused, 'finding') if refused else 'clean'}")
    for rows, title in (
        (refused, ""),
        (tolerated, f"{_count(tolerated, 'deviation')} that only a strict feed refuses"),
    ):
        if rows:
            if title:
                print(f"{file}: {title}")
            print_table(HL7V2_COLUMNS, ([str(hl7v2_row(one)[column]) for column in HL7V2_COLUMNS] for one in rows))


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _cells(finding: Finding) -> list[str]:
    cells: Iterable[str] = (str(row(finding)[column]) for column in COLUMNS)
    return [cell if len(cell) <= _MAX_SHOWN else cell[:_MAX_SHOWN] + "…" for cell in cells]
