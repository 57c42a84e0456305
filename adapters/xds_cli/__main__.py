"""``python -m xds_cli`` is the ``xds`` command."""

from __future__ import annotations

from xds_cli.main import main

main()
