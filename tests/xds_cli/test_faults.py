"""``xds serve`` and the system under it: a full disk, an fsync that fails, a clock that jumps.

tests/evidence/faults has them under load.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence.faults.shim import SYNCING, WRITING, Kinds, Shim
from tests.evidence.load import PATIENTS, Client, Improper, Round, check, check_store, judge, serves_again
from tests.evidence.preload import NoCompiler
from tests.evidence.server import Server


class Bench:
    """A server with a shim under it, and a client that judges each answer."""

    def __init__(self, folder: Path, shim: Shim) -> None:
        self.data = folder / "data"
        self.shim = shim
        self.server = Server.start(self.data, prefix=shim.prefix())
        self.state = Round()
        self.server.announce(range(PATIENTS))
        self.client = Client(self.server, self.state, "1.2.826.1", 1)

    def start_again(self) -> None:
        self.server.kill()
        self.client.close()
        self.server = Server.start(self.data, prefix=self.shim.prefix())

    def finish(self) -> dict[str, int]:
        """The checks of the long lane."""
        serves_again(self.server, self.state, "1.2.826.2", 2, within=5)
        result = check(self.server, self.state)
        self.client.close()
        assert self.server.stop() == 0
        assert self.state.improper == []
        check_store(self.data, self.state.announced)
        return result


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    try:
        shim = Shim(tmp_path, tmp_path / "data")
    except NoCompiler as missing:
        pytest.skip(str(missing))
    made = Bench(tmp_path, shim)
    yield made
    if made.server.process.poll() is None:
        made.server.kill()


def test_a_full_disk_refuses_and_what_was_acknowledged_stays(bench: Bench) -> None:
    client = bench.client
    writes = [client.provide_small, client.provide_large, client.register, client.announce]
    assert all(client.attempt(each) for each in writes)
    bench.shim.fail(WRITING, error=errno.ENOSPC)
    assert not any(client.attempt(each) for each in writes)
    assert client.attempt(client.retrieve)
    assert client.attempt(client.query)
    bench.shim.heal()
    assert bench.finish()["there without acknowledgement"] == 0
    assert sum(bench.shim.failed().values()) >= len(writes)


@pytest.mark.parametrize("kinds", [Kinds.WAL, Kinds.DOCUMENT, Kinds.DIRECTORY], ids=["log", "document", "its name"])
def test_an_fsync_that_failed_acknowledges_nothing(bench: Bench, kinds: Kinds) -> None:
    client = bench.client
    assert client.attempt(client.provide_large)
    bench.shim.fail(SYNCING, kinds)
    assert not client.attempt(client.provide_large)
    assert client.attempt(client.provide_small) is (kinds is not Kinds.WAL)
    bench.shim.heal()
    assert sum(bench.shim.failed().values()) >= 1
    bench.finish()


def test_a_submission_that_is_found_done_after_a_crash_has_its_document(bench: Bench) -> None:
    """Its fsync failed, but the system kept what was written: nothing was acknowledged, and it is there whole."""
    assert bench.client.attempt(bench.client.provide_small)
    bench.shim.fail(SYNCING, Kinds.WAL, loss=0)
    assert not bench.client.attempt(bench.client.provide_large)
    bench.shim.heal()
    bench.start_again()
    assert bench.finish()["there without acknowledgement"] == 1


def test_a_clock_that_jumps_changes_no_order_and_sweeps_nothing(bench: Bench) -> None:
    client = bench.client
    client.register()  # the Folder
    for hours in (30, -30, 2, 0):
        bench.shim.set_clock(hours * 3600)
        assert client.attempt(client.register)  # into the Folder: its lastUpdateTime moves on
        assert client.attempt(client.provide_large)
        assert client.attempt(client.announce)
    assert bench.finish()["acknowledged"] >= 8


def test_a_server_that_starts_hours_later_keeps_what_was_acknowledged(bench: Bench) -> None:
    client = bench.client
    assert client.attempt(client.provide_large)
    bench.shim.set_clock(30 * 3600)  # what it leaves behind is old enough to be swept
    bench.start_again()
    assert bench.finish()["acknowledged"] >= 1


def test_the_judge_of_the_answers_knows_a_bug() -> None:
    refused = b'<rs:RegistryResponse status="x:ResponseStatusType:Failure"><e errorCode="XDSRepositoryBusy"/>'
    assert judge("ITI-41", 200, refused) is False
    for status, answer in (
        (500, b"Internal Server Error"),
        (200, refused.replace(b"XDSRepositoryBusy", b"XDSMissingDocument")),
        (200, refused + b"internal error"),
        (500, b"<s:Fault>Traceback (most recent call last)"),
    ):
        with pytest.raises(Improper):
            judge("ITI-41", status, answer)
