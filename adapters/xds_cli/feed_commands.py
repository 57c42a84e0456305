"""``xds feed …``: messages that were refused, here and by consumers, for people to look at, correct and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xds_cli.identity_options import CONFIG, DATA, DATABASE, JSON, stored

feed = typer.Typer(
    help="HL7 v2 messages that were refused (AE), here or by consumers: list, show, replay.", no_args_is_help=True
)

_NUMBER = Annotated[int, typer.Argument(metavar="NUMBER", help="as dead shows it")]


@feed.command()
def dead(
    settled: Annotated[bool, typer.Option("--settled", help="those that somebody has dealt with")] = False,
    limit: Annotated[int, typer.Option(metavar="N", help="at most so many, the oldest first")] = 100,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """List messages that were refused, without their content."""
    with stored("feed dead", config, data, database) as actors:
        from xds_cli.feeding import dead

        dead(actors.manager, settled=settled, limit=limit, as_json=as_json)


@feed.command()
def show(
    number: _NUMBER,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="write it there, byte for byte")
    ] = None,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Print a refused message, a segment on each line. It is about a patient: mind who sees it."""
    with stored("feed show", config, data, database) as actors:
        from xds_cli.feeding import show

        show(actors.manager, number, output)


@feed.command()
def replay(
    number: _NUMBER,
    corrected: Annotated[
        Path | None, typer.Option("--corrected", metavar="FILE", help="the message as it should have been")
    ] = None,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Apply a refused message now, as if its sender had sent it again; it is settled when it is accepted."""
    with stored("feed replay", config, data, database) as actors:
        from xds_cli.feeding import replay

        replay(actors, number, corrected)


@feed.command()
def drop(
    number: _NUMBER,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why it is not applied")],
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Settle a refused message without applying it."""
    with stored("feed drop", config, data, database) as actors:
        from xds_cli.feeding import drop

        drop(actors.manager, number, reason)


@feed.command()
def outbox(
    given_up: Annotated[bool, typer.Option("--given-up", help="those that the consumer refused")] = False,
    limit: Annotated[int, typer.Option(metavar="N", help="at most so many, the oldest first")] = 100,
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
    as_json: JSON = False,
) -> None:
    """List what PIX consumers have not been told yet (ITI-10)."""
    with stored("feed outbox", config, data, database) as actors:
        from xds_cli.feeding import outbox

        outbox(actors.outbox, given_up=given_up, limit=limit, as_json=as_json)


@feed.command()
def resend(
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="its name in [[pix_consumer]]")],
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Tell a consumer again what it refused."""
    with stored("feed resend", config, data, database) as actors:
        from xds_cli.feeding import resend

        resend(actors.outbox, consumer)
