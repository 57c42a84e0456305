"""Libraries that are preloaded into the server to see, or to spoil, what it asks of the system."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


class NoCompiler(Exception):
    """There is no C compiler here."""


def compiled(source: Path, folder: Path) -> Path:
    """The shared library made of one C file."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("a C compiler is needed (Debian: gcc)")
    library = folder / f"{source.stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl", "-lpthread"], check=True)
    return library


def preloading(*libraries: Path, **settings: object) -> list[str]:
    """The words before a command that load these libraries into it, the first one nearest to the program."""
    words = [f"{name}={value}" for name, value in settings.items()]
    return ["env", f"LD_PRELOAD={' '.join(map(str, libraries))}", *words]
