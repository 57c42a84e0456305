"""How commands end: 0 done, 1 refused by the peer (its error codes are printed), 2 wrong use or wrong input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

DONE: Final = 0
REFUSED: Final = 1
WRONG: Final = 2


def fail(command: str, text: str, code: int = WRONG) -> typer.Exit:
    """One line on standard error that says what to change, and the exit to raise."""
    print(f"xds {command}: {' '.join(text.split())}", file=sys.stderr)
    return typer.Exit(code)


@contextmanager
def exits(command: str) -> Iterator[None]:
    """WrongInput and Refused become the exit."""
    from xds_cli.reading import Refused, WrongInput

    try:
        yield
    except WrongInput as error:
        raise fail(command, str(error)) from None
    except Refused:
        raise typer.Exit(REFUSED) from None
