"""The cut of the library, checked on the source: who imports whom, where XML is parsed, how long a module may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A group may import from those with a lower number; groups that share a number do not know each other.
LEVELS = {
    "xds.vocab": 1,
    "xds.errors": 2,
    "xds.datatypes": 3,
    "xds.metadata": 4,
    "xds.patients": 4,
    "xds.matching": 5,
    "xds.ports": 5,
    "xds.ebxml": 6,
    "xds.hl7v2": 6,
    "xds.stores": 7,
    "xds.audit": 7,
    "xds.registry": 8,
    "xds.repository": 8,
    "xds.pix": 8,
    "xds.pdq": 8,
    "xds.transactions": 9,
    "xds.clients": 10,
    "xds.bridge": 11,
    "xds": 12,
    "xds_soap": 13,
    "xds_mllp": 13,
    "xds_cli": 14,
}
OURS = ("xds", "xds_soap", "xds_mllp", "xds_cli")
# the one place where documents may be parsed as XML, and the modules that build a parser
XML_DOOR = "xds.ebxml.xml"
PARSERS = {"XMLParser", "fromstring", "iterparse", "XMLPullParser", "parse", "XML", "HTMLParser", "XMLID", "XSLT"}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for top, folder in (("xds", ROOT / "xds"), *((name, ROOT / "adapters" / name) for name in OURS[1:])):
        for path in folder.rglob("*.py"):
            parts = (top, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def group(module: str) -> str | None:
    """The longest row of LEVELS this module belongs to; None for what is not ours."""
    if module.partition(".")[0] not in OURS:
        return None
    parts = module.split(".")
    while parts:
        name = ".".join(parts)
        if name == "xds" and len(module.split(".")) > 1 and module != "xds.__init__":
            return module  # a part of xds that the table does not have
        if name in LEVELS:
            return name
        parts.pop()
    return module


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            assert node.module is not None
            known = modules()
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield node.lineno, full if full in known else node.module


def python_files() -> list[Path]:
    folders = ("xds", "adapters", "tests", "examples", "docs")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_only_from_groups_below_its_own(name: str) -> None:
    own = group(name)
    assert own in LEVELS, f"{name} belongs to no group: add it to the table"
    for line, imported in imports(modules()[name]):
        other = group(imported)
        if other is None or other == own or name == "xds":
            continue
        assert other in LEVELS, f"{name}:{line} imports {imported}, which belongs to no group"
        assert LEVELS[other] < LEVELS[own], f"{name}:{line} ({own}) must not import {imported} ({other})"


def test_the_rule_sees_an_import_that_goes_up() -> None:
    assert group("xds.registry.actor") == "xds.registry"
    assert group("xds.unheard_of.thing") == "xds.unheard_of.thing"
    assert group("lxml.etree") is None
    assert LEVELS["xds.ebxml"] < LEVELS["xds.transactions"] < LEVELS["xds_soap"]


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_through_the_adapters_folder(path: Path) -> None:
    for line, name in imports(path):
        assert name.partition(".")[0] != "adapters", f"{path}:{line}"


@pytest.mark.parametrize("name", sorted(modules()))
def test_only_the_one_door_parses_xml(name: str) -> None:
    if name == XML_DOOR:
        return
    etrees = {"etree", "ElementTree", "minidom", "sax", "expat", "pulldom", "objectify"}
    for node in ast.walk(tree(modules()[name])):
        if isinstance(node, ast.Attribute) and node.attr in PARSERS and isinstance(node.value, ast.Name):
            assert node.value.id not in etrees, f"{name}:{node.lineno}: XML goes through {XML_DOOR}.parse"
        if isinstance(node, ast.ImportFrom) and node.module in ("lxml.etree", "xml.etree.ElementTree"):
            assert not PARSERS & {alias.name for alias in node.names}, f"{name}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("xml.") for alias in node.names), f"{name}:{node.lineno}"


def test_actors_see_neither_elements_nor_sockets() -> None:
    forbidden = ("lxml", "socket", "asyncio", "httpx", "uvicorn", "sqlalchemy")
    for name, path in modules().items():
        if group(name) in ("xds.registry", "xds.repository", "xds.pix", "xds.pdq", "xds.metadata", "xds.patients"):
            found = [imported for _, imported in imports(path) if imported.partition(".")[0] in forbidden]
            # the code table may be the toolkit's codes.xml, which it reads through the one door's rules
            assert not found, f"{name} imports {found}"


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_holds_one_noun(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= 600, f"{path.relative_to(ROOT)} has {lines} lines: two nouns, two files"


def test_test_folders_are_packages_and_adapters_is_not() -> None:
    assert not (ROOT / "adapters" / "__init__.py").exists()
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert (path.parent / "__init__.py").exists(), f"{path.parent} needs an __init__.py"


def test_each_test_of_a_module_stands_at_its_path() -> None:
    known = {name.replace(".", "/") for name in modules()}
    stray = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        relative = path.relative_to(ROOT / "tests")
        if relative.parts[0] not in OURS:
            continue
        folder = relative.parent.as_posix()
        if folder not in known:
            stray.append(str(relative))
    assert not stray, f"no package of that path: {stray}"
