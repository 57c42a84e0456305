"""``xds feed …``: messages that were refused, here and by consumers, for people to look at, correct and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xds_cli.exits import exits
from xds_cli.identity_options import CONFIG, DATA, DATABASE, JSON

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
    with exits("feed dead"):
        from xds_cli.feeding import at_store, dead

        with at_store(config, data, database) as actors:
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
    with exits("feed show"):
        from xds_cli.feeding import at_store, show

        with at_store(config, data, database) as actors:
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
    with exits("feed replay"):
        from xds_cli.feeding import at_store, replay

        with at_store(config, data, database) as actors:
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
    with exits("feed drop"):
        from xds_cli.feeding import at_store, drop

        with at_store(config, data, database) as actors:
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
    with exits("feed outbox"):
        from xds_cli.feeding import at_store, outbox

        with at_store(config, data, database) as actors:
            outbox(actors.outbox, given_up=given_up, limit=limit, as_json=as_json)


@feed.command()
def resend(
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="its name in [[pix_consumer]]")],
    config: CONFIG = None,
    data: DATA = None,
    database: DATABASE = None,
) -> None:
    """Tell a consumer again what it refused."""
    with exits("feed resend"):
        from xds_cli.feeding import at_store, resend

        with at_store(config, data, database) as actors:
            resend(actors.outbox, consumer)
