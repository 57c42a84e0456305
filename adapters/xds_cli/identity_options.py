"""Options that the commands about patients, feeds and matching share."""

from __future__ import annotations

from typing import Annotated

import typer

from xds_cli.config import BY_KEY

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
