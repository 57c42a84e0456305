"""What is in the wheel and in the sdist."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"xds": ROOT / "xds"} | {name: ROOT / "adapters" / name for name in ("xds_soap", "xds_mllp", "xds_cli")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist, built by the backend of pyproject.toml without reaching for an index."""
    pytest.importorskip("hatchling", reason="the build backend is not installed; .ci/run builds in isolation")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def in_source() -> set[str]:
    """Every file below the packages, by the path it has in the wheel."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_four_packages_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == in_source()


def test_the_wheel_has_the_command_the_licence_and_no_tests(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "xds = xds_cli.main:main" in wheel.read(entry_points).decode()
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "adapters/", "docs/")) for name in names)


def test_the_sdist_holds_sources_tests_and_documentation(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "tests/test_packaging.py"} <= names
    assert in_source() <= {name.removeprefix("adapters/") for name in names}


@pytest.mark.parametrize("name", ["xds", "xds_soap", "xds_mllp", "xds_cli"])
def test_each_package_says_that_it_is_typed(name: str) -> None:
    assert (PACKAGES[name] / "py.typed").is_file()


def test_every_dependency_has_a_page_that_gives_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    wanted += [line for extra in project["optional-dependencies"].values() for line in extra]
    pages = "\n".join(path.read_text("utf-8") for path in (ROOT / "docs" / "decisions").glob("*.md")).lower()
    # the tools of the build have no reason beyond being the usual ones
    usual = {"ihe-xds", "build", "lxml-stubs", "pytest-xdist"}
    for requirement in wanted:
        name = requirement.split(">=")[0].split("[")[0].strip()
        assert name in usual or name in pages, f"no page of docs/decisions names {name}"
