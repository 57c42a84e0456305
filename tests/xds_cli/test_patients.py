"""The commands about patients against a running server, which tells a consumer of changes and keeps what it refuses."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.xds_cli.running import FREE, Running, running, start_failing
from xds.patients.notification import UpdateNotification
from xds.transactions.iti10 import ITI_10
from xds_cli.main import app
from xds_mllp.endpoint import Endpoint
from xds_mllp.server import MllpServer

EAST, WEST = "1.2.826.77.1", "1.2.826.77.2"
CONFIG = """
[[identifier_domain]]
oid = "{east}"
namespace = "EAST"

[[identifier_domain]]
oid = "{west}"
namespace = "WEST"

[[pix_consumer]]
name = "archive"
host = "127.0.0.1"
port = {port}
application = "ARCHIVE"
domains = ["{west}"]
timeout = 5
"""


@dataclass
class Consumer:
    """A listener of ITI-10, in a thread of its own; ``code`` is what it answers."""

    told: list[UpdateNotification] = field(default_factory=list)
    refusing: bool = False
    port: int = 0

    def update_identifiers(self, notification: UpdateNotification) -> None:
        if self.refusing:
            raise RuntimeError("out of order")
        self.told.append(notification)

    def sets(self) -> list[list[str]]:
        return [sorted(str(cx) for cx in one.identifiers) for one in self.told]


@pytest.fixture(scope="module")
def consumer() -> Iterator[Consumer]:
    consumer = Consumer()
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    consumer.port = listener.getsockname()[1]
    server = MllpServer(Endpoint([consumer], transactions=[ITI_10]))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(sock=listener), loop).result(10)
    yield consumer
    asyncio.run_coroutine_threadsafe(server.stop(timeout=5), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass(frozen=True)
class Region:
    server: Running
    config: Path
    data: Path

    def tell(self, message: str) -> str:
        return self.server.feed(message)

    def xds(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "250"})

    def ask(self, command: str, *arguments: str) -> Result:
        host, port = self.server.mllp
        return self.xds("patient", command, *arguments, "--mllp", f"{host}:{port}")

    def decide(self, command: str, *arguments: str) -> Result:
        return self.xds("patient", command, *arguments, *self.store, "--by", "clerk", "--reason", "seen both")

    @property
    def store(self) -> tuple[str, ...]:
        return "--config", str(self.config), "--data", str(self.data)


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory, consumer: Consumer) -> Iterator[Region]:
    folder = tmp_path_factory.mktemp("region")
    config = folder / "xds.toml"
    config.write_text(CONFIG.format(east=EAST, west=WEST, port=consumer.port))
    with running(folder / "data", "--config", str(config)) as server:
        yield Region(server, config, folder / "data")


def adt(trigger: str, control: str, pid: str, *, name: str = "Zyndrov^Iskra", more: str = "") -> str:
    return (
        f"MSH|^~\\&|HIS|H|XDS|R|20260101000000||ADT^{trigger}|{control}|P|2.5\rEVN||20260101000000\r"
        f"PID|||{pid}||{name}||19630714|F|||Quellgasse 5^^Obertal\r{more}"
    )


def cx(id: str, oid: str) -> str:
    return f"{id}^^^&{oid}&ISO"


def eventually(holds: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_people_are_found_and_cross_referenced(region: Region) -> None:
    assert "MSA|AA" in region.tell(adt("A28", "F1", cx("E100", EAST)))
    assert "MSA|AA" in region.tell(adt("A28", "F2", cx("W100", WEST), name="Zyndrov^Iskra^^^^^L"))
    found = region.ask("find", "--family", "zynd*", "--birth", "1963", "--json")
    assert found.exit_code == 0, found.output
    rows = [json.loads(line) for line in found.output.splitlines()]
    assert sorted(cx for row in rows for cx in row["identifiers"]) == sorted([full("E100", EAST), full("W100", WEST)])
    table = region.ask("find", "--id", cx("E100", EAST))
    assert table.exit_code == 0
    assert "19630714" in table.output

    alone = region.ask("crossref", cx("E100", EAST))
    assert (alone.exit_code, alone.output) == (0, "")
    fact = region.decide("link", cx("E100", EAST), cx("W100", WEST))
    assert fact.exit_code == 0, fact.output
    assert region.ask("crossref", "E100^^^EAST").output.split() == [full("W100", WEST)]
    assert region.ask("crossref", cx("E100", EAST), "--in", EAST).output == ""

    history = region.xds("patient", "history", cx("W100", WEST), *region.store, "--json")
    [entry] = [json.loads(line) for line in history.output.splitlines()]
    assert (entry["kind"], entry["by"], entry["reason"]) == ("link", "operator clerk", "seen both")
    assert region.decide("undo", fact.output.strip()).exit_code == 0
    assert region.ask("crossref", cx("E100", EAST)).output == ""


def full(id: str, oid: str) -> str:
    """As the manager writes it: with the namespace of its table."""
    return f"{id}^^^{'EAST' if oid == EAST else 'WEST'}&{oid}&ISO"


def test_what_the_peer_does_not_know_is_said(region: Region) -> None:
    unknown = region.ask("crossref", cx("NOBODY", EAST))
    assert unknown.exit_code == 1
    assert "does not know this identifier" in unknown.output
    domain = region.ask("crossref", cx("E1", "1.2.826.77.9"))
    assert domain.exit_code == 1
    assert "does not know a domain" in domain.output
    nothing = region.ask("find")
    assert nothing.exit_code == 2
    assert region.xds("patient", "crossref", "^^^", "--mllp", "127.0.0.1:1").exit_code == 2
    assert region.xds("patient", "crossref", "E1", "--mllp", "127.0.0.1:1").exit_code == 1
    assert region.decide("undo", "987654").exit_code == 1


def test_links_and_merges_by_message_and_by_hand(region: Region) -> None:
    for control, pid in (("L1", cx("E200", EAST)), ("L2", cx("W200", WEST)), ("L3", cx("E201", EAST))):
        assert "MSA|AA" in region.tell(adt("A28", control, pid))
    assert region.ask("link", cx("E200", EAST), cx("W200", WEST)).exit_code == 0
    assert region.ask("crossref", cx("W200", WEST)).output.split() == [full("E200", EAST)]
    assert region.ask("unlink", cx("E200", EAST), cx("W200", WEST)).exit_code == 0
    assert region.ask("crossref", cx("W200", WEST)).output == ""

    assert region.decide("merge", cx("E201", EAST), cx("E200", EAST)).exit_code == 0
    assert region.ask("crossref", cx("E201", EAST)).exit_code == 1
    assert region.decide("unmerge", cx("E201", EAST)).exit_code == 0
    assert region.ask("crossref", cx("E201", EAST)).exit_code == 0
    assert region.xds("patient", "merge", "A", "B", *region.store, "--by", " ").exit_code == 2
    assert region.xds("patient", "review", *region.store).exit_code == 0


def test_consumers_are_told_and_told_again(region: Region, consumer: Consumer) -> None:
    consumer.told.clear()
    assert "MSA|AA" in region.tell(adt("A28", "N1", cx("E300", EAST)))
    assert "MSA|AA" in region.tell(adt("A28", "N2", cx("W300", WEST)))
    eventually(lambda: [full("W300", WEST)] in consumer.sets())
    assert not any(identifier.startswith("E300") for identifiers in consumer.sets() for identifier in identifiers)
    [told] = [one for one in consumer.told if one.identifiers[0].id == "W300"]
    assert told.receiving_application.namespace_id == "ARCHIVE"

    consumer.refusing = True
    assert "MSA|AA" in region.tell(adt("A28", "N3", cx("W301", WEST)))
    eventually(lambda: "archive answered a notification with AE" in region.server.log.read_text())
    consumer.refusing = False
    assert "MSA|AA" in region.tell(adt("A28", "N4", cx("W302", WEST)))
    eventually(lambda: [full("W302", WEST)] in consumer.sets())  # what was given up blocks nobody else
    given_up = region.xds("feed", "outbox", "--given-up", "--json", *region.store)
    assert [json.loads(line)["consumer"] for line in given_up.output.splitlines()] == ["archive"]
    assert region.xds("feed", "resend", "archive", *region.store).output == "1\n"
    eventually(lambda: [full("W301", WEST)] in consumer.sets())
    assert region.xds("feed", "outbox", *region.store).exit_code == 0


def test_a_refused_message_is_kept_corrected_and_replayed(region: Region, tmp_path: Path) -> None:
    wrong = adt("A28", "D1", "^^^&" + EAST + "&ISO")
    for _ in range(2):  # its sender tries again: that is no second letter
        assert "MSA|AE" in region.tell(wrong)

    def letters() -> list[dict[str, Any]]:
        listed = region.xds("feed", "dead", *region.store, "--json")
        return [json.loads(line) for line in listed.output.splitlines()]

    eventually(lambda: [one["control_id"] for one in letters()] == ["D1"])
    number = str(letters()[0]["number"])
    assert "PID" in letters()[0]["reason"]
    assert region.xds("feed", "dead", *region.store).exit_code == 0
    shown = region.xds("feed", "show", number, *region.store)
    assert shown.output.splitlines()[0].startswith("MSH|^~\\&|HIS|H|")
    again = region.xds("feed", "replay", number, *region.store)
    assert again.exit_code == 1
    assert "refused again" in again.output

    corrected = tmp_path / "corrected.hl7"
    assert region.xds("feed", "show", number, *region.store, "--output", str(corrected)).exit_code == 0
    assert corrected.read_bytes() == wrong.encode()
    corrected.write_text(shown.output.replace("|||^^^&", "|||E400^^^&"))
    applied = region.xds("feed", "replay", number, *region.store, "--corrected", str(corrected))
    assert applied.exit_code == 0, applied.output
    assert region.ask("crossref", cx("E400", EAST)).exit_code == 0
    assert letters() == []
    assert region.xds("feed", "dead", "--settled", *region.store).exit_code == 0

    assert "MSA|AE" in region.tell(adt("A28", "D2", "^^^&" + EAST + "&ISO"))
    eventually(letters)
    assert region.xds("feed", "drop", str(letters()[0]["number"]), "--reason", "test", *region.store).exit_code == 0
    assert letters() == []
    assert region.xds("feed", "show", "99", *region.store).exit_code == 2


def test_a_store_whose_server_is_down_is_opened(tmp_path: Path, region: Region) -> None:
    listed = region.xds("feed", "dead", "--data", str(tmp_path / "data"))
    assert listed.exit_code == 0, listed.output


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[[pix_consumer]]\nhost = "127.0.0.1"', "needs name and host"),
        (CONFIG.format(east=EAST, west=WEST, port=1).replace(f'["{WEST}"]', '["1.2.3"]'), "1.2.3 is no"),
        ('[[identifier_domain]]\nnamespace = "X"', "needs oid"),
    ],
)
def test_a_table_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, table: str, says: str) -> None:
    config = tmp_path / "xds.toml"
    config.write_text(table)
    for arguments in ((), ("--workers", "2")):
        ended = start_failing("--config", str(config), "--data", str(tmp_path / "data"), *FREE, *arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        [line] = ended.stderr.splitlines()
        assert says in line
    command = CliRunner().invoke(app, ["feed", "dead", "--config", str(config), "--data", str(tmp_path / "data")])
    assert command.exit_code == 2
    assert says in command.output


def test_what_is_refused_is_said_by_the_command_that_asked(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["patient", "history", "NOBODY", "--data", str(tmp_path / "data")])
    assert said.exit_code == 1
    assert said.output.startswith("xds patient history: ")
