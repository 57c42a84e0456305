"""The check of the logs finds what is planted for it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.logs import check, plugin
from tests.xds_cli.running import announcement, running

ROOT = Path(__file__).resolve().parent.parent
FEED = (
    "MSH|^~\\\\&|A|B|C|D|20260101||ADT^A01|M1|P|2.5\\rPID|1||QX-77812^^^&1.2.3&ISO||Inventedson^Personia||19010203\\r"
)

# one program each: what is decoded, and what becomes of it
DECODING = f'from xds.hl7v2.er7 import parse\nmessage = parse("{FEED}".encode())\n'
LEAKS = {
    "an identifier": ("logging.getLogger('xds').warning('refused %s', message['PID'][3][1])", "identifier"),
    "a name at debug level": ("logging.getLogger('xds.a.b').debug(message['PID'][5][2].upper())", "name"),
    "a birth date with dashes": ("logging.getLogger('other').info('born 1901-02-03')", "birth date"),
    "the text of an exception": (
        "try:\n    raise ValueError(message['PID'].line)\n"
        "except ValueError:\n    logging.getLogger('xds').exception('bad')",
        "identifier",
    ),
    "a logger that is set to errors only": (
        "logging.basicConfig(level=logging.ERROR)\nlogging.getLogger('xds').debug(message['PID'].line)",
        "name",
    ),
    "a process that is killed": ("logging.getLogger('xds').info(str(message))\nos.kill(os.getpid(), 9)", "name"),
    "a forked process": ("if not os.fork():\n    logging.getLogger('xds').info(str(message))\n    os._exit(0)", "name"),
}


@contextmanager
def observed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process and its children are observed into a folder of this test's own."""
    with monkeypatch.context() as patch:
        for name, value in plugin.environment(folder).items():
            patch.setenv(name, value)
        yield


def run(program: str, folder: Path) -> None:
    environment = {**os.environ, **plugin.environment(folder)}
    subprocess.run(
        [sys.executable, "-c", "import logging, os\n" + program], env=environment, check=False, capture_output=True
    )


@pytest.mark.parametrize("what", LEAKS)
def test_a_leak_of_another_process_is_found(what: str, tmp_path: Path) -> None:
    leaking, kind = LEAKS[what]
    run(DECODING + leaking, tmp_path)
    assert kind in {leak.kind for leak in check.check(tmp_path)}


def test_a_log_line_without_patient_data_is_no_leak(tmp_path: Path) -> None:
    run(DECODING + "logging.getLogger('xds').info('message %s', message.control_id)", tmp_path)
    assert [text for _, text in check.read(tmp_path, "log")] == ["message M1"]
    assert {value for _, value in check.read(tmp_path, "values")} >= {"QX-77812", "Inventedson", "19010203"}
    assert check.check(tmp_path) == []


REFUSED = {
    "a message in a wrong character set": (
        "from xds_mllp.endpoint import Endpoint\n"
        f"Endpoint([]).respond('{FEED}'.replace('2.5', '2.5|' + '|' * 5 + 'UTF-16').encode())",
        {("identifier", "QX-77812"), ("name", "Inventedson"), ("birth date", "19010203")},
    ),
    "a message without MSH": (
        f"from xds_mllp.endpoint import Endpoint\nEndpoint([]).respond('{FEED}'.replace('MSH', 'XXX').encode())",
        {("identifier", "QX-77812"), ("name", "Inventedson"), ("birth date", "19010203")},
    ),
    "XML that is not well-formed": (
        "from xds.ebxml import xml\n"
        "xml.parse(b'<a><b>QX-77812^^^&amp;1.2.3&amp;ISO</b><c>PID-5|Inventedson^P</c></b>')",
        {("identifier", "QX-77812"), ("name", "Inventedson")},
    ),
    "sourcePatientInfo": (
        "from xds.ebxml import rim, xml\n"
        "rim.decode_slot(xml.parse(b'<Slot xmlns=\"urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0\" '\n"
        "  b'name=\"sourcePatientInfo\"><ValueList><Value>PID-7|19010203</Value></ValueList></Slot>'))",
        {("birth date", "19010203")},
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_patient_data_is_known_from_whatever_carries_it(what: str, tmp_path: Path) -> None:
    program, expected = REFUSED[what]
    run(program, tmp_path)
    assert set(check.read(tmp_path, "values")) >= expected


def test_an_allowed_value_is_no_leak(tmp_path: Path) -> None:
    run(DECODING + "logging.getLogger('xds').info(message['PID'][3][1])", tmp_path)
    assert check.check(tmp_path)
    assert check.check(tmp_path, {"qx-77812"}) == []


def test_the_values_of_a_kept_run_can_be_shown(tmp_path: Path) -> None:
    run(DECODING + "logging.getLogger('xds').info('of %s', message['PID'][3][1])", tmp_path)
    command = [sys.executable, "-m", "tests.logs", str(tmp_path)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "xds (<string>:4) logs a patient's identifier: 'qx-77812' in 'of QX-77812'\n"


def test_what_a_server_decodes_and_logs_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "observed"
    folder.mkdir()
    with observed(folder, monkeypatch), running(tmp_path / "data") as server:
        server.feed(announcement(48151623))
        server.stop()
        plugin.collect("planted", "standard error with Invented in it")
    assert ("identifier", "P48151623") in set(check.read(folder, "values"))
    assert {source for source, _ in check.read(folder, "log")} >= {"planted", "standard error of xds serve"}
    assert [leak.source for leak in check.check(folder)] == ["planted"]


RUN = f"""
import logging
from tests.logs import plugin

def pytest_configure(config):
    plugin.observe(config)

def pytest_runtest_call(item):
    from xds.hl7v2.er7 import parse
    message = parse("{FEED}".encode())
    logging.getLogger("xds_mllp").info("%s", message["PID"].line if item.name == "test_leaking" else message.control_id)
"""


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "workers"])
@pytest.mark.parametrize(("test", "code"), [("test_leaking", 1), ("test_silent", 0)])
def test_a_run_with_a_leak_fails(test: str, code: int, processes: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(RUN)
    (tmp_path / "test_one.py").write_text(f"def {test}(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = {"PYTHONPATH": os.pathsep.join((str(ROOT), os.environ["PYTHONPATH"])), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *processes, str(tmp_path)]
    ended = subprocess.run(
        command, env={**os.environ, **path}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ("FAILED xds_mllp (conftest.py:11) logs a patient's birth date" in ended.stdout) == bool(code)
    assert "Inventedson" not in ended.stdout


# --------------------------------------------------------------------------- the comparison

TEXTS = [
    ("name", "Inventedson", "patient inventedson is unknown", True),
    ("name", "Inventedson", "patient=INVENTEDSON;", True),
    ("name", "Inventedson", "of the Inventedsons", False),
    ("name", "Inventedson", "patient_inventedson_known", True),
    ("name", "Anna Maria", "known as 'Anna Maria'", True),
    ("name", "Anna Maria", "known as 'Anna Marian'", False),
    ("name", "发明人王", "病人 发明人王 已知", True),
    ("identifier", "P-17/2", "unknown P-17/2^^^&1.2.3&ISO", True),
    ("identifier", "P-17/2", "unknown P-17/21", False),
    ("identifier", "  QX123 ", "('QX123')", True),
    ("identifier", "123456", "number 123456", True),
    ("birth date", "19010203", "19010203", True),
    ("birth date", "190102031530", "born 1901-02-03 in the afternoon", True),
    # what is too short to say anything
    ("identifier", "12345", "127.0.0.1:12345", False),
    ("name", "Ann", "Ann", False),
    ("name", "--", "--", False),
    ("birth date", "unknown", "unknown patient", False),
    ("identifier", "local", "local patient", False),
    ("identifier", "local1", "patient local1", True),
]


@pytest.mark.parametrize(("kind", "value", "line", "found"), TEXTS)
def test_values_are_looked_for_as_whole_words(kind: str, value: str, line: str, found: bool) -> None:
    assert bool(list(check.leaks([("xds", line)], check.Values([(kind, value)])))) == found


def test_source_code_quoted_by_a_traceback_is_no_leak_but_what_follows_it_is() -> None:
    values = check.Values([("name", "Inventedson")])
    frame = ("xds", '  File "/a.py", line 3, in f')
    assert not list(check.leaks([frame, ("xds", "    raise ValueError('Inventedson')")], values))
    assert list(check.leaks([frame, ("xds", "    x()"), ("xds", "    Inventedson")], values))
    assert list(check.leaks([frame, ("xds", "ValueError: Inventedson")], values))


def test_a_leak_tells_the_logger_and_the_kind_but_not_the_value() -> None:
    [leak] = check.leaks([("xds_mllp", "of Inventedson")], check.Values([("name", "Inventedson")]))
    assert str(leak) == "xds_mllp logs a patient's name"
