"""What commands print: one line of JSON per object, or a table; sizes and times that people can read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xds.errors import RegistryError


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """One object per line, so that a result of any length can be read as it comes."""
    for row in rows:
        print(json.dumps(row, ensure_ascii=False), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: square brackets in titles are no markup
    Console().print(table)


def size_text(size: int) -> str:
    """1,234 B; 12.3 kB; 4.5 MB."""
    if size < 10_000:
        return f"{size:,} B"
    for unit in ("kB", "MB", "GB"):
        shown = size / 1000
        if shown < 1000 or unit == "GB":
            return f"{shown:,.1f} {unit}"
        size //= 1000
    raise AssertionError("unreachable")


def print_errors(command: str, message: str, errors: Sequence[RegistryError], *, as_json: bool) -> None:
    """What the peer said, on standard error; with ``as_json`` also as objects on standard output."""
    print(f"xds {command}: {message}", file=sys.stderr)
    for error in errors:
        context = f": {error.context}" if error.context else ""
        print(f"  {error}{context}", file=sys.stderr)
    if as_json:
        print_json(
            {
                "error": str(error.code),
                "context": error.context,
                "location": error.location,
                "severity": str(error.severity).rpartition(":")[2],
            }
            for error in errors
        )
