"""The proxy does what the harness believes: before a statement, after it, and once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from tests.chaos.boundaries import EVERY_WAY, every_strike, some_strikes, split, transactions
from tests.chaos.cases import SEVERED_SECONDS
from tests.chaos.faults import Boundary, Fault, Moment, Seen
from tests.chaos.wire import Act, Wire
from tests.support.app import App, app_on, conninfo
from tests.support.proxy import Link
from tests.support.waiting import wait_until

WRITE = "INSERT INTO things VALUES (%(n)s) RETURNING n"
SENT = "INSERT INTO things VALUES ($1) RETURNING n"


@asynccontextmanager
async def wired(
    url: str, folder: Path, moment: Moment, act: Act
) -> AsyncIterator[tuple[Wire, App, psycopg.AsyncConnection[Any]]]:
    """A proxy that acts on the second WRITE; the app beside it, a client behind it."""
    wire = Wire(Path(str(make_url(url).query["host"])))
    through = make_url(url).update_query_dict({"host": str(folder)})
    through_url = through.render_as_string(hide_password=False)
    async with app_on(url) as app, wire.at(folder):
        await app.run("CREATE TABLE things (n int)")
        wire.arm(lambda at, when: at == Boundary(SENT, 2) and when is moment, act)
        client = await psycopg.AsyncConnection.connect(
            conninfo(through_url), autocommit=True, prepare_threshold=None
        )
        try:
            yield wire, app, client
        finally:
            await client.close()


async def cut(link: Link) -> None:
    link.cut()


async def sever(link: Link) -> None:
    link.sever(SEVERED_SECONDS)


@pytest.mark.parametrize(("moment", "written"), [(Moment.BEFORE, [1]), (Moment.AFTER, [1, 2])])
async def test_a_cut_before_a_statement_spares_the_server_one_after_it_hides_the_answer(
    database_url: str, tmp_path: Path, moment: Moment, written: list[int]
) -> None:
    async with wired(database_url, tmp_path, moment, cut) as (wire, app, client):
        await client.execute(WRITE, {"n": 1})
        with pytest.raises(psycopg.OperationalError):
            await client.execute(WRITE, {"n": 2})
        assert wire.struck.is_set()
        assert [n for (n,) in await app.rows("SELECT n FROM things ORDER BY n")] == written
        assert [seen.boundary for seen in wire.seen] == [Boundary(SENT, 1), Boundary(SENT, 2)]


COMMITTED = f"COMMIT after {SENT}"


@pytest.mark.parametrize(
    ("boundary", "moment", "seen", "written"),
    [
        (Boundary("BEGIN", 1), Moment.AFTER, 1, []),
        (Boundary(SENT, 2), Moment.BEFORE, 3, []),
        (Boundary(SENT, 2), Moment.AFTER, 3, []),
        (Boundary(COMMITTED, 1), Moment.BEFORE, 4, []),
        (Boundary(COMMITTED, 1), Moment.AFTER, 4, [1, 2]),
        (Boundary("SELECT 3", 1), Moment.BEFORE, 5, [1, 2]),
    ],
)
async def test_a_cut_between_two_statements_of_one_round_trip_spares_the_server_what_follows(
    database_url: str,
    tmp_path: Path,
    boundary: Boundary,
    moment: Moment,
    seen: int,
    written: list[int],
) -> None:
    async with wired(database_url, tmp_path, moment, cut) as (wire, app, client):
        wire.arm(lambda at, when: at == boundary and when is moment, cut)
        with pytest.raises(psycopg.OperationalError):
            async with client.pipeline():
                await client.execute("BEGIN")
                await client.execute(WRITE, {"n": 1})
                await client.execute(WRITE, {"n": 2})
                await client.execute("COMMIT")
                await client.execute("SELECT 3")
        assert wire.struck.is_set()
        assert len(wire.seen) == seen

        async def is_over() -> bool:
            return bool(await app.value(_OTHERS) == 0)

        await wait_until(is_over)
        assert [n for (n,) in await app.rows("SELECT n FROM things ORDER BY n")] == written


_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


async def test_a_severed_session_keeps_its_locks_for_a_while(
    database_url: str, tmp_path: Path
) -> None:
    async with wired(database_url, tmp_path, Moment.AFTER, sever) as (_, app, client):
        await client.execute(WRITE, {"n": 1})
        await client.execute("BEGIN")
        with pytest.raises(psycopg.OperationalError):
            await client.execute(WRITE, {"n": 2})
        held = "SELECT count(*) FROM pg_locks WHERE relation = 'things'::regclass AND granted"
        assert await app.value(held) > 0

        async def is_free() -> bool:
            return bool(await app.value(held) == 0)

        await wait_until(is_free)
        assert await app.value("SELECT count(*) FROM things") == 1


def rehearsed(*statements: str) -> list[Seen]:
    """Statements on one connection, each once."""
    return [Seen(1, Boundary(statement, 1)) for statement in statements]


RUN = 'INSERT INTO "conservator".run ('
BATCH = 'INSERT INTO "conservator".batch ('
REHEARSAL = [
    *rehearsed("BEGIN a", "SELECT 1", "COMMIT after SELECT 1"),
    *rehearsed("BEGIN b", RUN, "COMMIT after RUN"),
    *rehearsed("BEGIN c", f"{BATCH}1", "COMMIT after c"),
    *rehearsed("BEGIN d", f"{BATCH}2", "COMMIT after d"),
    *rehearsed("BEGIN e", f"{BATCH}3", "COMMIT after e"),
    *rehearsed("BEGIN f", f"{BATCH}4", "COMMIT after f"),
    *rehearsed("BEGIN g", "SELECT 2", "COMMIT after SELECT 2"),
    *rehearsed("BEGIN h", 'UPDATE "conservator".run SET state = $1', "COMMIT after h"),
    *rehearsed("BEGIN i", "SELECT 4", "COMMIT after SELECT 4"),
]


def test_transactions_of_different_connections_are_told_apart() -> None:
    mixed = [
        Seen(1, Boundary("BEGIN", 1)),
        Seen(2, Boundary("BEGIN", 2)),
        Seen(1, Boundary("one", 1)),
        Seen(2, Boundary("two", 1)),
        Seen(1, Boundary("BEGIN", 3)),
    ]
    texts = [[b.statement for b in found] for found in transactions(mixed)]
    assert texts == [["BEGIN", "one"], ["BEGIN", "two"], ["BEGIN"]]


def test_the_long_form_strikes_in_every_way_at_every_boundary_of_what_matters() -> None:
    before, core = split(REHEARSAL)
    assert [b.statement for b in before if b.statement[:5] == "BEGIN"] == ["BEGIN a", "BEGIN i"]
    assert [one[0].statement[-1] for one in core] == ["b", "c", "e", "f", "g", "h"]
    strikes = {(s.fault, s.moment, s.boundary) for s in every_strike(REHEARSAL)}
    for transaction in core:
        for boundary in transaction:
            assert {(*way, boundary) for way in EVERY_WAY} <= strikes


def test_the_short_form_spares_no_boundary_of_a_batch_and_no_kind_of_fault() -> None:
    strikes = [*some_strikes(REHEARSAL, seed=1, sparse=3)]
    struck = [strike.boundary.statement for strike in strikes]
    assert struck[:3] == ["BEGIN e", f"{BATCH}3", "COMMIT after e"]
    assert {strike.fault for strike in strikes} == set(Fault) - {Fault.FREEZE}
