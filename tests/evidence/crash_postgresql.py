"""On PostgreSQL: kill -9 of our processes, and PostgreSQL that is killed, restarted, or stands still, under mixed load.

    python -m tests.evidence.crash_postgresql [--rounds 100] [--folder DIR] [--threads 6]

``xds serve --database postgresql+psycopg://…``, with and without workers, documents as files, under the load of
tests/evidence/load.py. Every second round is one of the crash lane (tests/evidence/crash.py: server, writer, worker,
all). In the others it is PostgreSQL to which something happens, and our server goes on:

* backend: kill -9 of a process that serves one of our connections; PostgreSQL ends all the others and recovers;
* database: kill -9 of every process of it; it is started again at once, or some seconds later;
* immediate, fast: it is shut down, without and with a checkpoint, and started again;
* hang: every process of it stands still, for some seconds or for longer than anybody waits.

Meanwhile every answer is a success or a refusal in the form of its profile, within 20 seconds; ``/health/live`` says
yes, and ``/health/ready`` no when the database is gone. Afterwards every kind of request succeeds again within 5
seconds, without a restart, and the server has itself removed the files of what it refused. Then, in all rounds, the
checks of the crash lane: what was acknowledged is there byte for byte, nothing is half there, nothing is orphaned. No
patient and no traceback stands in the log.

The folder keeps the state: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from tests.evidence import crash, messages
from tests.evidence.crash import Place, Result
from tests.evidence.load import LONGEST_ANSWER, Round, check, check_store, clients, no_orphan_stays, serves_again
from tests.evidence.postgresql import PostgreSql
from tests.evidence.server import Server, machine
from xds.stores.postgres_connection import PATIENCE

AGAIN_WITHIN: Final = 5.0  # seconds from the end of a fault until every kind of request succeeds
AWAY: Final = (0.0, 15.0, 0.3, 4.0, 2.0)  # seconds until it is started again
STILL: Final = (28.0, 12.0, 3.0)  # seconds without moving
MANY: Final = 20  # clients of a database that stands still: more than there are threads that wait for it
OURS: Final = "ihe-xds"  # application_name of our connections
_SECRETS: Final = ("&" + messages.AUTHORITY, "Quillfeather^Ottoline", messages.patient(0)[:7])


def backend(database: PostgreSql, server: Server, turn: int) -> float:
    started = time.monotonic()
    os.kill(random.Random(turn).choice(database.backends(OURS)), signal.SIGKILL)
    time.sleep(0.05)  # until it notices
    database.wait_until_ready(started)
    return time.monotonic() - started


def killed(database: PostgreSql, server: Server, turn: int) -> float:
    return _away(database.kill, database, server, turn)


def immediate(database: PostgreSql, server: Server, turn: int) -> float:
    return _away(lambda: database.stop(signal.SIGQUIT), database, server, turn)


def fast(database: PostgreSql, server: Server, turn: int) -> float:
    return _away(lambda: database.stop(signal.SIGINT), database, server, turn)


def _away(end: Callable[[], None], database: PostgreSql, server: Server, turn: int) -> float:
    started = time.monotonic()
    end()
    seconds = AWAY[turn % len(AWAY)]
    if seconds >= 1:
        _healthy(server, ready=503)
    time.sleep(max(0.0, started + seconds - time.monotonic()))
    database.start()
    return time.monotonic() - started


def hang(database: PostgreSql, server: Server, turn: int) -> float:
    seconds = STILL[turn % len(STILL)]
    database.hang(seconds)
    return seconds


def _healthy(server: Server, *, ready: int) -> None:
    for path, expected in (("/health/live", 200), ("/health/ready", ready)):
        with contextlib.closing(server.connect(timeout=LONGEST_ANSWER)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        assert answer.status == expected, f"{path} answers {answer.status} {body[:100]!r}"


HAPPENS: Final[dict[str, Callable[[PostgreSql, Server, int], float]]] = {
    "backend": backend,
    "database": killed,
    "hang": hang,
    "immediate": immediate,
    "fast": fast,
}


def one_round(number: int, place: Place, database: PostgreSql, threads: int) -> Result:
    r = random.Random(number)
    log = place.data.parent / "server.log"
    before = log.stat().st_size if log.exists() else 0
    if number % 2 == 0:
        result = crash.one_round(number, crash.WHOM[number // 2 % len(crash.WHOM)], place, threads, r)
    else:
        result = _database_round(number, place, database, threads, r)
    with log.open("rb") as file:
        file.seek(before)
        _discreet(file.read().decode("utf-8", "replace"))
    return result


def _database_round(number: int, place: Place, database: PostgreSql, threads: int, r: random.Random) -> Result:
    whom = list(HAPPENS)[number // 2 % len(HAPPENS)]
    server = place.start(*(("--workers", "2") if r.random() < 0.5 else ()))
    state, prefix = Round(), crash.unique_ids(number)
    try:
        with clients(server, state, prefix, number, MANY if whom == "hang" else threads):
            time.sleep(r.uniform(0.3, 1.2))
            away = HAPPENS[whom](database, server, number // 2 // len(HAPPENS))
            again = serves_again(server, state, prefix, number, within=AGAIN_WITHIN)
            time.sleep(0.3)
        result: Result = {"whom": whom, "away_s": round(away, 2), "again_s": round(again, 2), **check(server, state)}
        assert not state.improper, f"{len(state.improper)} improper answers: {state.improper[:3]}"
        no_orphan_stays(place.data, place.database)
        _healthy(server, ready=200)
    finally:
        server.stop()
    result |= {"succeeded": state.successes(), "refused": state.refused(), "longest_s": round(state.longest, 2)}
    result["entries"] = check_store(place.data, state.announced, place.database)
    return result


def _discreet(log: str) -> None:
    for unwanted in (*_SECRETS, "Traceback", " failed, message ", " failed with "):
        at = log.find(unwanted)
        assert at < 0, f"the log says {unwanted!r}: {log[max(0, at - 300) : at + 1500]}"


def main() -> None:
    options = crash.arguments(__doc__, "xds-pg-")
    with PostgreSql.running(options.folder / "pg") as database:
        database.create_database("xds")
        place = Place(options.folder / "data", database.url("xds", "+psycopg"))
        rows = crash.run(options, lambda number: one_round(number, place, database, options.threads))
    crash.publish(report(rows), options)


def report(rows: list[Result]) -> str:
    ours, theirs = ([row for row in rows if ("away_s" in row) is database] for database in (False, True))
    return (
        "# kill -9 under mixed load, on PostgreSQL and of PostgreSQL\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {crash.commits(rows)}, {machine()}\n\n"
        "`python -m tests.evidence.crash_postgresql`\n\n"
        "## Our processes are killed\n\n"
        f"| measure | value |\n|---|---|\n{_counted(ours)}"
        f"| restart, median and longest | {_median_and_longest(ours, 'restart_s')} |\n\n"
        "## Something happens to PostgreSQL, and our server goes on\n\n"
        f"| measure | value |\n|---|---|\n{_counted(theirs)}"
        f"| away or standing still, longest | {max(row['away_s'] for row in theirs)} s |\n"
        f"| rounds in which that was longer than anybody waits | {sum(row['away_s'] > PATIENCE for row in theirs)} |\n"
        f"| requests that succeeded | {_sum(theirs, 'succeeded')} |\n"
        f"| requests that were refused, each properly | {_sum(theirs, 'refused')} |\n"
        "| improper answers, hangs, server processes that had to be started again | 0 |\n"
        f"| longest answer | {max(row['longest_s'] for row in theirs)} s |\n"
        f"| all kinds of requests succeed again, median and longest | {_median_and_longest(theirs, 'again_s')} |\n"
        f"| entries at the end | {rows[-1]['entries']} |\n"
    )


def _counted(rows: list[Result]) -> str:
    whom = ", ".join(f"{name} {count}" for name, count in Counter(row["whom"] for row in rows).items())
    return (
        f"| rounds | {len(rows)} |\n| to whom | {whom} |\n"
        f"| submissions sent | {_sum(rows, 'sent')} |\n"
        f"| acknowledged, all found and retrieved byte for byte | {_sum(rows, 'acknowledged')} |\n"
        f"| not acknowledged but there, whole | {_sum(rows, 'there without acknowledgement')} |\n"
        "| half there, lost, or orphaned | 0 |\n"
    )


def _sum(rows: list[Result], key: str) -> int:
    return sum(row[key] for row in rows)


def _median_and_longest(rows: list[Result], key: str) -> str:
    values = sorted(row[key] for row in rows if key in row)
    return f"{values[len(values) // 2]} s, {values[-1]} s"


if __name__ == "__main__":
    main()
