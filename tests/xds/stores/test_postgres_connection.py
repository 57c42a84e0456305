"""Connections that wait for so long, and the fate of a COMMIT whose answer did not come."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import psycopg
import pytest

from tests.evidence.postgresql import PostgreSql
from xds.errors import StoreUnavailable
from xds.stores.postgres_connection import Begun, Contact, Fate, Silence, connect, fate, life_of_server


def crash(server: PostgreSql, connection: psycopg.Connection[Any]) -> None:
    """Kill the process that serves a connection: the server ends all others and recovers."""
    os.kill(connection.info.backend_pid, signal.SIGKILL)
    with contextlib.suppress(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(60)")
    server.wait_until_ready(time.monotonic())


def test_after_a_crash_the_id_of_a_transaction_may_be_that_of_another_one(own_server: PostgreSql) -> None:
    """What was acknowledged for the other one's sake would be lost."""
    conninfo = own_server.url("postgres")
    with connect(conninfo) as before:
        before.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        before.execute("CHECKPOINT")
        before.execute("BEGIN")
        before.execute("INSERT INTO note VALUES ('lost')")
        [(number,)] = before.execute("SELECT pg_current_xact_id()::text").fetchall()
        with connect(conninfo) as beside:
            begun = Begun(number, life_of_server(beside))
            assert fate(begun, beside, life_of_server(beside)) is Fate.OPEN
        crash(own_server, before)
    with connect(conninfo) as after:
        assert life_of_server(after) != begun.life
        assert fate(begun, after, life_of_server(after)) is Fate.NOTHING
        while int(after.execute("INSERT INTO note VALUES ('kept') RETURNING xmin::text").fetchall()[0][0]) < int(
            number
        ):
            pass
        assert fate(begun, after, begun.life) is Fate.COMMITTED  # had one not looked
        assert fate(begun, after, life_of_server(after)) is Fate.UNKNOWN
        assert after.execute("SELECT 1 FROM note WHERE text = 'lost'").fetchall() == []


def test_the_life_of_a_server_is_not_over_when_it_is_shut_down(own_server: PostgreSql) -> None:
    with connect(own_server.url("postgres")) as connection:
        before = life_of_server(connection)
    own_server.stop()
    own_server.start()
    with connect(own_server.url("postgres")) as connection:
        assert life_of_server(connection) == before


def test_a_connection_waits_for_so_long_and_is_closed(postgres_uri: str) -> None:
    with contextlib.closing(connect(postgres_uri)) as connection:
        connection.execute("SELECT pg_sleep(0.5)")
        connection.patience = 0.2
        with pytest.raises(Silence):
            connection.execute("SELECT pg_sleep(60)")
        assert connection.closed


def test_a_silent_server_is_asked_by_one_at_a_time() -> None:
    contact = Contact()
    with contact.asking(), contact.asking():
        pass
    with pytest.raises(Silence), contact.asking():
        raise Silence
    assert contact.silent
    with contact.asking(), pytest.raises(StoreUnavailable, match="does not answer"), contact.asking():
        pytest.fail("two at a time")
    assert not contact.silent
    with contact.asking(), contact.asking():
        pass
