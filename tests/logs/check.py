"""Looks for patient data in log lines.

Left out, because they say nothing when they are found:

- values of fewer than four letters and digits, and numbers of fewer than six: ports, counts, process ids are such;
- a birth date or an identifier without a digit: "local", "unknown", "request" are ids in tests and words of our texts;
- the lines of source code that a traceback quotes: a test that raises an error with a secret has it in its source.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_WORD = re.compile(r"[^\W_]+")
_FRAME = re.compile(r'\s*File ".*", line \d+, in ')
_MIN_LENGTH = 4
_MIN_DIGITS = 6


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A log line with patient data. ``str`` names who logged and what kind of value it is, not the value."""

    source: str
    kind: str
    line: str
    value: str

    def __str__(self) -> str:
        return f"{self.source} logs a patient's {self.kind}"


class Values:
    """Patient data to look for; whole words, in any letter case."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self._by_first_word: dict[str, dict[str, str]] = {}
        for kind, value in values:
            for form in _forms(kind, value):
                words = _WORD.findall(form)
                if _says_something(kind, words):
                    start, end = form.index(words[0]), form.rindex(words[-1]) + len(words[-1])
                    self._by_first_word.setdefault(words[0], {})[form[start:end]] = kind

    def __len__(self) -> int:
        return sum(map(len, self._by_first_word.values()))

    def found_in(self, text: str) -> Iterator[tuple[str, str]]:
        """Kind and value of everything that stands in the text."""
        text = text.casefold()
        for word in _WORD.finditer(text):
            for value, kind in self._by_first_word.get(word[0], {}).items():
                end = word.start() + len(value)
                if text.startswith(value, word.start()) and not text[end : end + 1].isalnum():
                    yield kind, value


def _forms(kind: str, value: str) -> Iterator[str]:
    """The value as it may stand in a log: as it is, and a date with dashes, a time as its date."""
    value = value.strip().casefold()
    if kind == "birth date" and re.match(r"\d{8}", value):
        yield value[:8]
        yield f"{value[:4]}-{value[4:6]}-{value[6:8]}"
    yield value


def _says_something(kind: str, words: list[str]) -> bool:
    text = "".join(words)
    if kind in {"birth date", "identifier"} and not any(map(str.isdigit, text)):
        return False
    return len(text) >= (_MIN_DIGITS if text.isdigit() else _MIN_LENGTH)


def leaks(lines: Iterable[tuple[str, str]], values: Values) -> Iterator[Leak]:
    """The leaks in log lines, each given with its source; lines of one source follow each other."""
    quoted = False
    for source, line in lines:
        if not (quoted and line.startswith("    ")):
            for kind, value in values.found_in(line):
                yield Leak(source, kind, line, value)
        quoted = _FRAME.match(line) is not None


def read(folder: Path, kind: str) -> Iterator[tuple[str, str]]:
    """What the processes of a run wrote down: "log" or "values"."""
    for path in sorted(folder.glob(f"*.{kind}")):
        for line in path.read_text("utf-8", "replace").split("\n"):
            source, tab, text = line.partition("\t")
            if tab:
                yield source, text


def check(folder: Path, allowed: Container[str] = ()) -> list[Leak]:
    """Every leak of a run once, by source and value; ``allowed`` are values, in lower case, not to look for."""
    values = Values((kind, value) for kind, value in read(folder, "values") if value.casefold() not in allowed)
    found = {(leak.source, leak.value): leak for leak in leaks(read(folder, "log"), values)}
    return sorted(found.values())
