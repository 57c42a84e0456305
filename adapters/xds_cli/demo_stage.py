"""What the acts of the demo stand on: the server, the wires to it, and what is printed about each exchange."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from xds.clients.patients import Hl7Exchange
from xds.datatypes.hl7 import CX, XPN
from xds.metadata.common import Author, Code
from xds.metadata.document_entry import DocumentEntry
from xds.metadata.submission_set import SubmissionSet
from xds.patients.demographics import Demographics
from xds_cli.config import BY_KEY
from xds_cli.documents import DEFAULT_CODES, read_code
from xds_cli.output import size_text
from xds_cli.samples import SampleDocument, SamplePatient
from xds_cli.wire import CountingTransport
from xds_mllp.client import MllpClient
from xds_mllp.framing import frame
from xds_soap.client import SoapExchange

DOMAIN: Final = BY_KEY["domain"].default or ""
HOSPITAL_A: Final = "1.3.6.1.4.1.21367.2026.10"
HOSPITAL_B: Final = "1.3.6.1.4.1.21367.2026.20"
HOSPITAL_C: Final = "1.3.6.1.4.1.21367.2026.30"
RESIDENTS: Final = "1.3.6.1.4.1.21367.2026.90"
CONFIGURATION: Final = f"""\
[[identifier_domain]]
oid = "{HOSPITAL_A}"
namespace = "A"
sources = ["|A"]

[[identifier_domain]]
oid = "{HOSPITAL_B}"
namespace = "B"
sources = ["|B"]

[[identifier_domain]]
oid = "{HOSPITAL_C}"
namespace = "C"
sources = ["|C"]

[[identifier_domain]]
oid = "{RESIDENTS}"
namespace = "RESIDENT"
trusted = true
check_digit = "cn"
"""


class DemoFailed(Exception):
    """What was shown is not what should have happened."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise DemoFailed(text)


def line(who: str, transaction: str, sent: int, received: int, seconds: float, what: str) -> None:
    wire = f"{size_text(sent):>9} out {size_text(received):>9} in {seconds * 1000:8.1f} ms" if sent else " " * 38
    print(f"{who:<11} {transaction:<7} {wire}  {what}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


# --------------------------------------------------------------------------- the server


@dataclass
class Server:
    """``xds serve`` in a process of its own, on free ports."""

    data: Path
    process: subprocess.Popen[str] | None = None
    ready: Mapping[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        started = time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDS_")}
        self.configuration.write_text(CONFIGURATION)
        command = [sys.executable, "-m", "xds_cli", "serve", "--data", str(self.data)]
        command += ["--config", str(self.configuration)]
        command += ["--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
        with open(self.data.parent / "serve.log", "ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - this program itself
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        check(bool(first), f"xds serve did not start: see {self.data.parent / 'serve.log'}")
        self.ready = json.loads(first)
        what = f"ready: SOAP at {self.http}, HL7 v2 at mllp://{self.ready['mllp']}"
        line("server", "", 0, 0, 0.0, f"{what} ({time.perf_counter() - started:.1f} s)")

    @property
    def configuration(self) -> Path:
        return self.data.parent / "xds.toml"

    @property
    def http(self) -> str:
        return str(self.ready["http"])

    @property
    def mllp(self) -> tuple[str, int]:
        host, _, port = str(self.ready["mllp"]).rpartition(":")
        return host, int(port)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        code = self._ended()
        check(code == 0, f"xds serve ended with {code}")
        line("server", "", 0, 0, 0.0, "SIGTERM: finished and ended with 0")

    def _ended(self) -> int:
        assert self.process is not None
        self.process.communicate(timeout=60)
        return self.process.returncode

    @contextmanager
    def exchange(self, path: str) -> Iterator[tuple[SoapExchange, CountingTransport]]:
        transport = CountingTransport()
        with SoapExchange(self.http + path, transport=transport) as exchange:
            yield exchange, transport

    @contextmanager
    def feed(self) -> Iterator[Feed]:
        with MllpClient(*self.mllp) as client:
            yield Feed(client.exchange)


class Feed:
    """An exchange of HL7 v2 messages that keeps account of the last one."""

    def __init__(self, exchange: Hl7Exchange) -> None:
        self._exchange = exchange
        self._last = (0, 0, 0.0)

    def __call__(self, message: bytes, /) -> bytes:
        started = time.perf_counter()
        answer = self._exchange(message)
        self._last = len(frame(message)), len(frame(answer)), time.perf_counter() - started
        return answer

    def line(self, who: str, transaction: str, what: str) -> None:
        """Say what the last exchange was."""
        sent, received, seconds = self._last
        line(who, transaction, sent, received, seconds, what)


# --------------------------------------------------------------------------- samples as the actors take them


def identifiers_of(patient: SamplePatient) -> list[CX]:
    """In the affinity domain, in hospital A, and in the country."""
    found = [patient_id(patient), CX.of(patient.local_id, HOSPITAL_A)]
    return [*found, CX.of(patient.resident_number, RESIDENTS)] if patient.resident_number else found


def demographics_of(patient: SamplePatient) -> Demographics:
    return Demographics(names=(XPN(patient.family, patient.given),), birth_time=patient.birth_date, sex=patient.sex)


def patient_id(patient: SamplePatient) -> CX:
    return CX.of(patient.id, DOMAIN)


def entry_for(patient: SamplePatient, document: SampleDocument) -> DocumentEntry:
    codes = {key: read_code(text, key) for key, text in DEFAULT_CODES.items()}
    return DocumentEntry(
        patient_id=patient_id(patient),
        source_patient_id=CX.of(patient.local_id, HOSPITAL_A),
        mime_type=document.mime_type,
        title=document.title,
        language_code=document.language,
        creation_time="20260312101500",
        author=Author(person="17^Brandt^Ines^^^Dr", institutions="Hospital A"),
        class_code=codes["class_code"],
        type_code=_code(document.type_code),
        format_code=_code(document.format_code),
        confidentiality_code=codes["confidentiality_code"],
        healthcare_facility_type_code=codes["healthcare_facility_type_code"],
        practice_setting_code=codes["practice_setting_code"],
    )


def _code(row: tuple[str, str, str]) -> Code:
    return Code(*row)


def submission_set(patient: SamplePatient) -> SubmissionSet:
    return SubmissionSet(
        patient_id=patient_id(patient),
        source_id=HOSPITAL_A,
        content_type_code=read_code(DEFAULT_CODES["content_type_code"], "content_type_code"),
    )
