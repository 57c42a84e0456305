"""Where objects and documents are kept: SQLite or PostgreSQL, and a folder of files.

:func:`open_store` is the way in; what it gives implements ``xds.ports.UnitOfWork``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xds.stores.opening import open_store
    from xds.stores.store import SqlStore

__all__ = ["SqlStore", "open_store"]

_HOMES = {"open_store": "xds.stores.opening", "SqlStore": "xds.stores.store"}


def __getattr__(name: str) -> Any:
    """Import on first use: the databases' libraries are heavy, and naming this package must not cost them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
