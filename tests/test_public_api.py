"""What ``import xds`` offers, and what it must not drag along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import xds

ROOT = Path(__file__).resolve().parent.parent
HEAVY = (
    "uvicorn",
    "starlette",
    "fastapi",
    "httpx",
    "psycopg",
    "sqlite3",
    "sqlalchemy",
    "alembic",
    "zeep",
    "hl7apy",
    "signxml",
    "cryptography",
    "typer",
    "rich",
    "rapidfuzz",
    "opencc",
    "pypinyin",
    "asyncio",
    "xds_soap",
    "xds_mllp",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", xds.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(xds, name) is not None
    assert name in dir(xds)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = xds.no_such_name


def test_the_lazy_table_and_the_imports_for_type_checkers_agree() -> None:
    module = ast.parse((ROOT / "xds" / "__init__.py").read_text("utf-8"))
    typed = {}
    for node in module.body:
        if isinstance(node, ast.If):
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                typed.update({alias.name: statement.module for alias in statement.names})
    assert typed == xds._HOMES
    assert {*typed, "__version__"} == set(xds.__all__)


def test_importing_the_package_pulls_in_nothing_heavy() -> None:
    code = f"import xds, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code).strip() == "[]"


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("DocumentRegistry", ("uvicorn", "psycopg", "zeep", "hl7apy", "httpx")),
        ("DocumentEntry", ("uvicorn", "psycopg", "zeep", "hl7apy", "httpx", "sqlalchemy")),
        ("open_store", ("uvicorn", "psycopg", "zeep", "hl7apy", "httpx")),
        ("DocumentSource", ("uvicorn", "psycopg", "zeep", "hl7apy", "sqlalchemy")),
    ],
)
def test_a_name_loads_only_what_it_needs(name: str, absent: tuple[str, ...]) -> None:
    code = f"import xds, sys; xds.{name}; print([m for m in {absent!r} if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_the_version_is_the_distributions() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{xds.__version__}"' in text
