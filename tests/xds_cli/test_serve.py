"""``xds serve`` as others see it: ready line, signals, exit codes, and starts that cannot succeed."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trustme

from tests.xds_cli.running import FREE, announcement, environment, running, start_failing
from xds_cli.assemble import open_parts
from xds_cli.config import Settings, StartError, load_settings
from xds_cli.serve import bind

PATIENT_QUERY = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>'
    b"<a:Action>urn:ihe:iti:2007:RegistryStoredQuery</a:Action><a:MessageID>urn:uuid:00000000-0000-4000-8000-000000000001"
    b'</a:MessageID></s:Header><s:Body><q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
    b'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><q:ResponseOption returnComposedObjects="true" '
    b'returnType="LeafClass"/><rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d">'
    b'<rim:Slot name="$XDSDocumentEntryPatientId"><rim:ValueList>'
    b"<rim:Value>'P1^^^&amp;1.3.6.1.4.1.21367.13.20.1000&amp;ISO'</rim:Value></rim:ValueList></rim:Slot>"
    b'<rim:Slot name="$XDSDocumentEntryStatus"><rim:ValueList>'
    b"<rim:Value>('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')</rim:Value></rim:ValueList></rim:Slot>"
    b"</rim:AdhocQuery></q:AdhocQueryRequest></s:Body></s:Envelope>"
)
SOAP = 'application/soap+xml; charset=UTF-8; action="urn:ihe:iti:2007:RegistryStoredQuery"'


def test_a_server_answers_on_the_ports_it_names_and_ends_with_0_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        assert server.ready["ready"] is True
        assert server.ready["pid"] == server.process.pid
        assert server.get("/health/live")[0] == 200
        assert server.get("/health/ready")[0] == 200
        assert "# TYPE" in server.get("/metrics")[1]
        assert "MSA|AA" in server.feed(announcement(1))
        assert b"ResponseStatusType:Success" in server.post("/registry", PATIENT_QUERY, SOAP)
        server.signal(signal.SIGTERM)
        assert server.end() == (0, ""), server.log.read_text()
        assert "Traceback" not in server.log.read_text()


def test_a_server_ends_with_0_on_sigint_and_starts_again_on_its_data(tmp_path: Path) -> None:
    for _ in range(2):
        with running(tmp_path / "data") as server:
            assert "MSA|AA" in server.feed(announcement(1))
            server.signal(signal.SIGINT)
            assert server.end() == (0, ""), server.log.read_text()


def test_a_request_that_is_being_sent_when_the_signal_comes_is_answered(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        host, port = server.http.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            length = len(PATIENT_QUERY)
            head = f"POST /registry HTTP/1.1\r\nHost: x\r\nContent-Type: {SOAP}\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode() + PATIENT_QUERY[:100])
            server.get("/health/live")  # by now the first half has been read
            server.signal(signal.SIGTERM)
            _wait_until_refused(host, int(port))
            connection.sendall(PATIENT_QUERY[100:])
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert b"ResponseStatusType:Success" in answer
        assert server.end() == (0, "")


def _wait_until_refused(host: str, port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection((host, port), timeout=5).close()
        except ConnectionError:
            return
        time.sleep(0.02)
    raise AssertionError("new connections are still accepted after SIGTERM")


def test_nothing_of_a_patient_stands_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.feed(announcement(4711))
        server.feed("MSH|^~\\&|ADT|A|XDS|REG|20260101||ADT^A01|X|P|2.3.1\rPID|1||P4711||Invented^Person\r")
        server.post("/registry", PATIENT_QUERY, SOAP)
        assert server.stop() == 0
        log = server.log.read_text()
    assert "Invented" not in log
    assert "4711" not in log.replace(str(server.process.pid), "")


# --------------------------------------------------------------------------- several processes


def test_workers_share_the_ports_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        first = _workers_of(server.process.pid)
        assert len(first) == 2
        assert "MSA|AA" in server.feed(announcement(1))
        for pid in first:
            _kill(pid)
        for _ in range(300):
            alive = _workers_of(server.process.pid)
            if len(alive) == 2 and not set(alive) & set(first):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("dead workers were not replaced")
        assert "MSA|AA" in server.feed(announcement(2))
        assert b"ResponseStatusType:Success" in server.post("/registry", PATIENT_QUERY, SOAP)
        server.signal(signal.SIGTERM)
        assert server.end() == (0, ""), server.log.read_text()


def test_workers_end_when_their_supervisor_was_killed(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        workers = _workers_of(server.process.pid)
        server.process.kill()
        for _ in range(600):
            if not any(_alive(pid) for pid in workers):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("workers outlived their supervisor")
    with running(tmp_path / "data") as server:
        assert server.stop() == 0


def test_many_clients_write_through_several_workers(tmp_path: Path) -> None:
    answers: list[str] = []
    with running(tmp_path / "data", "--workers", "2") as server:

        def announce(start: int) -> None:
            answers.extend(server.feed(announcement(number)) for number in range(start, start + 10))

        threads = [threading.Thread(target=announce, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.stop() == 0
    assert len(answers) == 40
    assert all("MSA|AA" in answer for answer in answers)


def _workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in children if b"xds_cli.workers" in Path(f"/proc/{each}/cmdline").read_bytes()]


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# --------------------------------------------------------------------------- starts that cannot succeed


def start_and_stop(settings: Settings) -> None:
    listeners = bind(settings)
    try:
        open_parts(settings).close()
    finally:
        listeners.close()


def advice(*arguments: str) -> str:
    """What a start with these settings says; one line."""
    given = {flag.removeprefix("--"): value for flag, value in zip(arguments[::2], arguments[1::2], strict=True)}
    with pytest.raises(StartError) as refused:
        start_and_stop(load_settings(given, environ={}))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_start_that_cannot_succeed_ends_with_2_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = start_failing("--data", str(tmp_path / "data"), "--http", address, "--mllp", "127.0.0.1:0")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"xds serve: --http {address}: the port is in use")


def test_an_unknown_setting_ends_with_2_and_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "xds.toml").write_text('htpp = "127.0.0.1:0"\n')
    done = start_failing("--config", str(tmp_path / "xds.toml"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'htpp'; did you mean http?" in line


@pytest.mark.parametrize("flag", ["--http", "--mllp"])
def test_a_port_in_use_is_named(flag: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = "--mllp" if flag == "--http" else "--http"
        text = advice("--data", str(tmp_path / "data"), flag, address, other, "127.0.0.1:0")
    assert text.startswith(f"{flag} {address}: the port is in use")


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    text = advice("--data", str(tmp_path / "data"), "--http", "192.0.2.1:8080", "--mllp", "127.0.0.1:0")
    assert "192.0.2.1:8080" in text
    assert "0.0.0.0" in text


def test_a_host_that_does_not_exist_is_named(tmp_path: Path) -> None:
    text = advice("--data", str(tmp_path / "data"), "--http", "nowhere.invalid:8080", "--mllp", "127.0.0.1:0")
    assert "nowhere.invalid:8080" in text


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    text = advice("--data", str(tmp_path / "file" / "data"), *FREE)
    assert text.startswith(f"--data {tmp_path / 'file' / 'data'}: ")


def test_a_data_folder_in_use_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        text = advice("--data", str(tmp_path / "data"), *FREE)
        assert "another" in text
        assert server.get("/health/ready")[0] == 200


@pytest.mark.parametrize(
    "url",
    [
        "nosuchdatabase://host/name",
        "mysql+pymysql://host/name",
        "postgresql+psycopg://nobody:topsecret@127.0.0.1:1/none",
        "sqlite:////proc/nowhere/registry.sqlite",
        "sqlite://",
    ],
)
def test_a_database_that_cannot_be_opened_is_explained_without_its_password(url: str, tmp_path: Path) -> None:
    text = advice("--data", str(tmp_path / "data"), *FREE, "--database", url)
    assert text.startswith("--database: ")
    assert "topsecret" not in text


def test_a_missing_database_driver_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "xds.stores.postgres", raising=False)
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    assert "pip install 'ihe-xds[postgres]'" in advice("--data", str(tmp_path / "data"), *FREE, "--database", url)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codes.xml", "<Codes><"),
        ("codes.toml", "classCode = 3"),
        ("codes.toml", "clasCode = [{code = '1', scheme = '2'}]"),
        ("codes.toml", "classCode = ["),
        ("absent.toml", None),
    ],
)
def test_a_code_table_that_cannot_be_read_is_named(name: str, content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    text = advice("--data", str(tmp_path / "data"), *FREE, "--codes", str(tmp_path / name))
    assert text.startswith(f"--codes {tmp_path / name}")


def test_settings_come_from_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "xds.toml").write_text('domain = "1.2.3"\npatients = "any"\n')
    extra = {"XDS_CONFIG": str(tmp_path / "xds.toml"), "XDS_PATIENTS": "known"}
    with running(tmp_path / "data", extra=extra) as server:
        assert "MSA|AA" in server.feed(announcement(1, domain="1.2.3"))
        assert server.stop() == 0


def test_both_listeners_speak_tls_and_want_a_certificate(tmp_path: Path) -> None:
    ca, strangers = trustme.CA(), trustme.CA()
    files = {}
    for name, leaf in (
        ("server", ca.issue_cert("127.0.0.1")),
        ("client", ca.issue_cert("his.example")),
        ("stranger", strangers.issue_cert("his.example")),
    ):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    config = tmp_path / "xds.toml"
    config.write_text(
        f'[tls]\ncertificate = "{files["server"]}"\nkey = "{files["server"]}"\nclient_ca = "{tmp_path / "ca.pem"}"\n'
    )
    with running(tmp_path / "data", "--config", str(config)) as server:
        assert server.http.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        context.load_cert_chain(files["client"])
        with (
            socket.create_connection(server.mllp, timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"\x0b" + announcement(1).encode() + b"\x1c\r")
            assert b"MSA|AA" in secure.recv(65536)
        document = tmp_path / "note.txt"
        document.write_bytes(b"\nnote\r\n")
        given = {"XDS_CA": str(tmp_path / "ca.pem"), "XDS_REPOSITORY_URL": f"{server.http}/repository"}
        for certificate, code in ((files["client"], 0), (files["stranger"], 1), (None, 1)):
            extra = {**given, "XDS_CERTIFICATE": str(certificate)} if certificate else given
            done = subprocess.run(
                [sys.executable, "-m", "xds_cli", "submit", str(document), "--patient", "P1"],
                env=environment(extra),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == code, done.stderr
        with socket.create_connection(server.mllp, timeout=20) as plain:  # somebody who does not speak TLS
            plain.sendall(b"\x0b" + announcement(2).encode() + b"\x1c\r")
            assert b"MSA" not in plain.recv(1000)
        assert server.stop() == 0


def test_certificates_that_cannot_be_used_end_the_start(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    config = tmp_path / "xds.toml"
    config.write_text(f'[tls]\ncertificate = "{tmp_path}/no.pem"\nkey = "{tmp_path}/no.pem"\n')
    ended = start_failing("--data", str(tmp_path / "data"), "--config", str(config))
    assert ended.returncode == 2
    assert "[tls]" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
