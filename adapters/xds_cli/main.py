"""The ``xds`` command. What a command needs is imported inside it, so that ``xds version`` answers at once.

Exit codes: 0 done, 1 refused by the peer (its error codes are printed), 2 wrong use or wrong input.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xds_cli.config import BY_KEY, ConfigError, StartError, load_settings

app = typer.Typer(
    help="IHE XDS.b registry, repository and patient identities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DONE, REFUSED, WRONG = 0, 1, 2


def fail(command: str, text: str, code: int = WRONG) -> typer.Exit:
    """One line on standard error that says what to change, and the exit to raise."""
    print(f"xds {command}: {' '.join(text.split())}", file=sys.stderr)
    return typer.Exit(code)


def _help(key: str) -> str:
    option = BY_KEY[key]
    default = f" [{option.default}]" if option.default else ""
    return f"{option.meaning}{default} ({option.variable})"


@app.command()
def serve(
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="TOML file with these settings (XDS_CONFIG)")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="DIR", help=_help("data"))] = None,
    database: Annotated[str | None, typer.Option(metavar="URL", help=_help("database"))] = None,
    documents: Annotated[str | None, typer.Option(metavar="URL", help=_help("documents"))] = None,
    http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_help("http"))] = None,
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help=_help("mllp"))] = None,
    workers: Annotated[str | None, typer.Option(metavar="N", help=_help("workers"))] = None,
    codes: Annotated[str | None, typer.Option(metavar="FILE", help=_help("codes"))] = None,
    patients: Annotated[str | None, typer.Option(metavar="known|any", help=_help("patients"))] = None,
    matching: Annotated[str | None, typer.Option(metavar="off|ids|generic|cn", help=_help("matching"))] = None,
    domain: Annotated[str | None, typer.Option(metavar="OID", help=_help("domain"))] = None,
    home_community_id: Annotated[str | None, typer.Option(metavar="URN", help=_help("home_community_id"))] = None,
    repository_unique_id: Annotated[str | None, typer.Option(metavar="OID", help=_help("repository_unique_id"))] = None,
    reply_to: Annotated[str | None, typer.Option(metavar="HOST,…", help=_help("reply_to"))] = None,
    max_results: Annotated[str | None, typer.Option(metavar="N", help=_help("max_results"))] = None,
) -> None:
    """Run registry, repository and patient identity feed until SIGTERM or SIGINT."""
    given = {
        "data": data,
        "database": database,
        "documents": documents,
        "http": http,
        "mllp": mllp,
        "workers": workers,
        "codes": codes,
        "patients": patients,
        "matching": matching,
        "domain": domain,
        "home_community_id": home_community_id,
        "repository_unique_id": repository_unique_id,
        "reply_to": reply_to,
        "max_results": max_results,
    }
    from xds_cli.serve import run

    try:
        run(load_settings(given, config=config))
    except (ConfigError, StartError) as error:
        raise fail("serve", str(error)) from None


@app.command()
def demo(
    stay: Annotated[bool, typer.Option("--stay", help="leave the server running and print its addresses")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="keep the data here instead of a temporary folder")
    ] = None,
) -> None:
    """Two hospitals exchange documents through a server that is killed in between."""
    from xds_cli.demo import DemoFailed, run_demo

    try:
        run_demo(stay=stay, data=data)
    except DemoFailed as error:
        raise fail("demo", str(error), REFUSED) from None


@app.command()
def version(
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,
) -> None:
    """Print the version of the library and of Python."""
    import json
    import platform

    from xds import __version__

    if as_json:
        print(json.dumps({"ihe-xds": __version__, "python": platform.python_version()}))
    else:
        print(f"ihe-xds {__version__} (Python {platform.python_version()})")


def main() -> None:
    app(prog_name="xds")


if __name__ == "__main__":
    main()
