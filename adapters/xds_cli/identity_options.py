"""What the commands about patients, feeds and matching share: options, and the way into a server's store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from xds_cli.config import BY_KEY
from xds_cli.exits import exits

if TYPE_CHECKING:
    from xds_cli.assemble import IdentityParts

IDENTIFIER = Annotated[str, typer.Argument(metavar="ID", help="ID, ID^^^&OID&ISO or ID^^^NAMESPACE")]
OTHER = Annotated[str, typer.Argument(metavar="OTHER", help="likewise")]
DOMAIN = Annotated[
    str, typer.Option("--domain", metavar="OID", envvar="XDS_DOMAIN", help="assigning authority of a bare ID")
]
JSON = Annotated[bool, typer.Option("--json", help="a JSON object per line")]
CONFIG = Annotated[str | None, typer.Option(metavar="FILE", help="TOML file of the server (XDS_CONFIG)")]
DATA = Annotated[str | None, typer.Option(metavar="DIR", help="data folder of the server (XDS_DATA)")]
DATABASE = Annotated[str | None, typer.Option(metavar="URL", help="database of the server (XDS_DATABASE)")]
AFFINITY = BY_KEY["domain"].default or ""


@contextmanager
def stored(command: str, config: str | None, data: str | None, database: str | None) -> Iterator[IdentityParts]:
    """The identities of a server, running or not; what is wrong with a request becomes the command's exit."""
    with exits(command):
        from xds_cli.feeding import at_store

        with at_store(command, config, data, database) as actors:
            yield actors
