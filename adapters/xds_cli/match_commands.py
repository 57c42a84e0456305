"""``xds match …``: why two records are one person's, what another profile would change, what yours would weigh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xds_cli.identity_options import AFFINITY, CONFIG, DATA, DATABASE, DOMAIN, IDENTIFIER, JSON, OTHER, stored

match = typer.Typer(help="Matching profiles: explain, try, learn.", no_args_is_help=True)

_PROFILE = Annotated[str, typer.Argument(metavar="PROFILE", help="cn, generic, or the file of a profile")]


@match.command()
def explain(
    one: IDENTIFIER,
    other: OTHER,
    profile: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="cn, generic or a file; without it the server's")
    ] = None,
    domain: DOMAIN = AFFINITY,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """Say level and weight of every field, the total, and the rule that decides. No value of a field is shown."""
    with stored("match explain", config, data, database) as actors:
        from xds_cli import matching

        matching.explain(actors.manager, one, other, profile=profile, domain=domain, as_json=as_json)


@match.command()
def dry_run(
    profile: _PROFILE,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """Say what a profile would link on the stored identities, and what differs from the links that are there."""
    with stored("match dry-run", config, data, database) as actors:
        from xds_cli import matching

        matching.dry_run(actors.manager, profile, as_json=as_json)


@match.command()
def train(
    profile: _PROFILE,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="where the new profile is written")],
    version: Annotated[str, typer.Option(metavar="TEXT", help="its version")] = "2",
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Learn a profile's weights from the stored identities, and report how well they foretell."""
    with stored("match train", config, data, database) as actors:
        from xds_cli import matching

        matching.train(actors.manager, profile, output, version)
