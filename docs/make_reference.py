"""Write docs/reference from the tables in the code; with ``--check``, say which page is stale (exit code 1).

A reference page that is written by hand is wrong after the next change; these are lists of rows, so they are printed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import typer
import typer.main

from xds.hl7v2.adt import TOLERATED as FEEDS
from xds.hl7v2.queries import TOLERATED as QUERIES
from xds.metadata.rules import RULES
from xds.metadata.rules.finding import KIND_NAMES
from xds.pix.cases import ODD_CASES
from xds.pix.manager import UNUSUAL
from xds.registry.cases import LINK_CHANGE_CASES
from xds.registry.link_change import TOLERATED as LINK_CHANGES
from xds.registry.parameters import DOUBLE_QUOTES, UNKNOWN_STATUS
from xds.transactions import TRANSACTIONS
from xds.transactions.hl7v2 import HL7V2_TRANSACTIONS
from xds.vocab.ebrim import ObjectKind
from xds.vocab.errors import ErrorCode
from xds.vocab.explanations import EXPLANATIONS
from xds.vocab.queries import STORED_QUERIES, Parameter
from xds_cli.config import OPTIONS
from xds_cli.main import app
from xds_cli.tables import TABLES
from xds_soap.tolerances import TOLERANCES

FOLDER: Final = Path(__file__).resolve().parent / "reference"
NOTE: Final = "*Generated from the code by `make docs`.*"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---' for _ in head)}|"]
    for row in rows:
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    return "\n".join(lines)


def configuration() -> str:
    rows = (
        (f"`{o.key}`", f"`{o.variable}`", f"`{o.flag} {o.metavar}`", f"`{o.default}`" if o.default else "", o.meaning)
        for o in OPTIONS
    )
    tables = "\n".join(
        f"### `{t.heading}`\n\n{t.meaning[0].upper()}{t.meaning[1:]}.\n\n"
        + table(
            ("key", "default", "meaning"),
            ((f"`{c.key}`", f"`{c.default}`" if c.default else "", c.meaning) for c in t.columns),
        )
        + "\n"
        for t in TABLES
    )
    return f"""# Configuration of `xds serve`

{NOTE}

Each setting is a key of the TOML file (`--config FILE` or `XDS_CONFIG`), an environment variable and an option of the
command line. The command line wins over the environment, the environment over the file. A key that does not exist is an
error that names the nearest one that does.

{table(("key", "environment", "command line", "default", "meaning"), rows)}

## Tables

What comes in groups has a table of its own in the file, and stands nowhere else.

{tables}"""


def commands() -> str:
    parts = [f"# Commands\n\n{NOTE}\n\nExit codes: 0 done, 1 refused by the peer, 2 wrong use or wrong input.\n"]
    parts += _commands("xds", typer.main.get_command(app))
    return "\n".join(parts)


def _commands(prefix: str, group: Any) -> Iterable[str]:
    for name, command in group.commands.items():
        yield f"## `{prefix} {name}`\n\n{inspect.cleandoc(command.help or '')}\n"
        if hasattr(command, "commands"):
            yield from _commands(f"{prefix} {name}", command)
        elif rows := [_option(parameter) for parameter in command.params]:
            yield table(("option", "meaning"), rows) + "\n"


def _option(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`", parameter.help or ""
    metavar = "" if parameter.is_flag else f" {parameter.metavar or 'TEXT'}"
    flags = "/".join((parameter.opts[0], *parameter.secondary_opts[:1]))
    return f"`{flags}{metavar}`", parameter.help or ""


def transactions() -> str:
    soap = (
        (row.number, row.name, ", ".join(row.initiators), ", ".join(row.responders), f"`{row.binding.action}`")
        for row in TRANSACTIONS
    )
    hl7v2 = (
        (
            row.number,
            row.name,
            ", ".join(row.initiators),
            ", ".join(row.responders),
            ", ".join(f"`{row.binding.message_type}^{trigger}`" for trigger in sorted(row.binding.triggers)),
        )
        for row in HL7V2_TRANSACTIONS
    )
    return f"""# Transactions

{NOTE}

## Over SOAP

{table(("number", "name", "starts it", "answers it", "WS-Addressing action"), soap)}

## Over HL7 v2

{table(("number", "name", "starts it", "answers it", "MSH-9"), hl7v2)}
"""


def _parameter(parameter: Parameter) -> tuple[str, ...]:
    notes = [
        text
        for holds, text in (
            (parameter.required, "required"),
            (parameter.many, "list (OR)"),
            (parameter.repeats, "may repeat (AND)"),
            (parameter.excludes, "leaves out what matches"),
        )
        if holds
    ]
    return f"`{parameter.name}`", parameter.kind.name.lower().replace("_", " "), ", ".join(notes)


def stored_queries() -> str:
    parts = [f"# Stored queries of ITI-18\n\n{NOTE}\n"]
    for query in STORED_QUERIES:
        parts.append(f"## {query.name}\n\n`{query.id}`, {query.section}.")
        if query.alternatives:
            parts.append(f"\nExactly one of {', '.join(f'`{name}`' for name in query.alternatives)}.")
        if query.single_patient:
            parts.append("\nWith LeafClass the result must not hold objects of several patients.")
        parts.append("\n" + table(("parameter", "value", ""), map(_parameter, query.parameters)) + "\n")
    return "\n".join(parts)


def errors() -> str:
    rows = ((f"`{code.value}`", *EXPLANATIONS[code], f"`ErrorCode.{code.name}`") for code in sorted(ErrorCode))
    return f"""# Error codes

{NOTE}

What an errorCode of a RegistryError may be (ITI TF-3, table 4.2.4.1-2). In Python it is the `code` of a
`RequestRejected`, and of each of its `errors`.

{table(("on the wire", "usual cause", "what to do", "in Python"), rows)}
"""


def rules() -> str:
    parts = [
        f"""# Rules for metadata

{NOTE}

What is checked of a submission before anything else happens; `xds validate FILE` and `xds.validate` tell all findings
at once. A rule that is *noted* is broken by real senders without harm: such a submission is taken. What depends on
registered objects (known patients, targets of relationships, used uniqueIds) is checked by the registry beyond these.
"""
    ]
    for kind in (None, *ObjectKind):
        rows = [
            (rule.attribute, rule.text, "noted" if rule.tolerated else f"`{rule.code.value}`", rule.section)
            for rule in RULES
            if rule.kind is kind
        ]
        if rows:
            title = "Submission" if kind is None else KIND_NAMES[kind]
            parts.append(f"## {title}\n\n{table(('attribute', 'finding', 'code', 'section'), dict.fromkeys(rows))}\n")
    return "\n".join(parts)


def tolerances() -> str:
    soap = ((f"`{name}`", what, section) for name, (what, section) in TOLERANCES.items())
    query = (
        (f"`{DOUBLE_QUOTES}`", "a value of a query stands in double quotes", "ITI TF-2, 3.18.4.1.2.3.4"),
        (f"`{UNKNOWN_STATUS}`", "a status nobody knows beside others; it is left out", "ITI TF-2, 3.18.4.1.2.3.6.2"),
        *((f"`{name}`", what, section) for name, (what, section) in LINK_CHANGES.items()),
        ("names of rules", "metadata as in the rows of [rules](rules.md) that are tolerated", "ITI TF-3, 4.2"),
    )
    hl7v2 = (
        ("`unknown trigger …`", "an event that nobody here acts on is acknowledged", "ITI TF-2, C.2.3"),
        ("`character set guessed`", "the bytes are not what MSH-18 says", "ITI TF-2, C.2.2"),
        ("`bytes outside of blocks`", "there is something between the messages", "MLLP release 1"),
        *((f"`{name}`", what, section) for name, (what, section) in (FEEDS | QUERIES).items()),
    )
    pix = ((f"`{name}`", what, "[odd cases](feeds.md)") for name, what in UNUSUAL.items())
    head = ("counter", "what is accepted", "otherwise")
    return f"""# What is tolerated

{NOTE}

Real systems depart from the standards. What does no harm is read, counted in `/metrics`, and said in the log the first
time, the tenth, the hundredth and so on.

## SOAP: `xds_soap_tolerated_total`

{table(head, soap)}

## Metadata and queries: `xds_registry_tolerated_total`

{table(head, query)}

## HL7 v2: `xds_hl7v2_tolerated_total`

{table(head, hl7v2)}

## Identities: `xds_pix_tolerated_total`

{table(head, pix)}
"""


def feeds() -> str:
    head = ("situation", "effect", "answer", "section")
    rows, changes = (
        table(head, ((c.situation, c.effect, c.answer, c.section) for c in cases))
        for cases in (ODD_CASES, LINK_CHANGE_CASES)
    )
    return f"""# Odd cases of identity feeds

{NOTE}

What the Patient Identifier Cross-reference Manager does, and the Document Registry with it in the same transaction,
where the Framework leaves it open or senders depart from it. Each row has a test.

{rows}

A registry without a manager obeys A40 by the preconditions of ITI TF-2, 3.8.4.2.4 alone: both identifiers are of its
domain, known and active, or the answer is AE and nothing changes.

## A43: a local identifier belongs to another patient

ITI-64 is between a PIX Manager and the Document Registry; the manager here is not asked. It is one transaction: what is
refused leaves no trace. What moves gets a new version under the new XAD-PID (the next number, the same logicalID and
uniqueId, an entryUUID of its own), and one SubmissionSet brings all of them; the version before becomes Deprecated and
stays with the previous patient.

{changes}
"""


PAGES: Final[dict[str, Callable[[], str]]] = {
    "configuration.md": configuration,
    "commands.md": commands,
    "transactions.md": transactions,
    "stored-queries.md": stored_queries,
    "errors.md": errors,
    "rules.md": rules,
    "tolerances.md": tolerances,
    "feeds.md": feeds,
}


def main(arguments: Sequence[str]) -> int:
    stale = []
    for name, write in PAGES.items():
        path, text = FOLDER / name, write()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    if "--check" in arguments and stale:
        print(f"stale: {', '.join(stale)}; run make docs")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
