"""The documentation is true: its code runs, its commands exist, its links lead somewhere, its tables are fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from xds_cli.main import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
HAND_WRITTEN = [page for page in PAGES if "evidence" not in page.parts and "reference" not in page.parts]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text("utf-8")) if found == language]


WITH_PYTHON = [page for page in HAND_WRITTEN if blocks(page, "python")]
COMMANDS = [
    (page, line.removeprefix("$ ").strip())
    for page in HAND_WRITTEN
    for code in blocks(page, "console")
    for line in code.replace("\\\n", " ").splitlines()
    if line.startswith("$ xds")
]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text("\n".join(blocks(page, "python")), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_working_code_early() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert 100 <= len(lines) <= 150
    assert next(number for number, line in enumerate(lines, 1) if line == "```python") <= 30


def command_named(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no command xds {words[0]}"
        command = command.commands[words[0]]
        words = words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_commands_of_the_documentation_exist_with_their_options(page: Path, line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0].removesuffix("&"))
    command, rest = command_named(words[1:])
    flags = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in flags, f"{name_of(page)}: {line}: no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{name_of(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name_of(page)} links to {target}"


def test_the_reference_pages_are_what_the_tables_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_reference.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[!R]*.md")), ids=name_of)
def test_a_decision_gives_context_choice_and_price(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert headings == ["Context", "Choice", "Price"]
    assert f"({page.name})" in (page.parent / "README.md").read_text("utf-8")


def test_the_changelog_has_the_version_that_is_built() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert version[1] in headings or headings[0] == "Unreleased"
