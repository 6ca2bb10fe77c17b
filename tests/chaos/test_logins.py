"""A service that is struck while users log in: who asks again is backfilled, and nobody twice."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from tests.chaos.boundaries import EVERY_WAY, transactions
from tests.chaos.cases import act_of
from tests.chaos.faults import Boundary, Fault, Seen, Strike
from tests.chaos.stage import Stage, planted, stage
from tests.chaos.victims import Victim
from tests.support.app import App
from tests.support.commands import on_one_server
from tests.support.http import Client
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree, counter
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = on_one_server

USERS, ARTWORKS = 9, 5
TOKEN = "app-token-of-the-chaos-tests"
AT_ONCE = 3
"""Cases at the same time."""
ROUNDS = 20
"""Calls for everybody, until everybody is answered."""
# Three users a transaction, so that there is something before the one that is struck.
CONFIG: dict[str, Any] = {
    "healing": {"mode": "observe", "pace": {"max_batch": 3 * ARTWORKS, "duty": "100%"}},
    "checks": {"census": {"enabled": False}, "structure": {"enabled": False}},
    "server": {"port": 0, "app_token": TOKEN},
}
# No triggers of an audit here: with them each user would get a run of its own.
_WITHOUT_AUDIT = """
DROP TRIGGER audit ON user_art_impressions;
DROP TRIGGER audit ON art_sessions;
DROP TRIGGER audit ON users;
"""
_OLD = "SELECT count(*) FROM user_art_impressions WHERE artwork_id ~ '^old'"
_LISTED = (
    "SELECT count(*), count(DISTINCT (user_id, artwork_id)) FROM conservator.backfilled_impression"
)
_FLAGS = """
SELECT count(*), sum(b.inserted), sum(r.inserted) FROM conservator.backfilled_user AS b
JOIN conservator.run AS r ON r.id = b.run_id AND r.subject = b.user_id AND r.state = 'succeeded'
"""


def address_of(process: Victim) -> str | None:
    """Where the service listens, once its log says so."""
    for line in process.said.splitlines():
        if '"listening"' in line and line.endswith("}"):
            return str(json.loads(line)["address"])
    return None


async def log_in(process: Victim) -> list[int]:
    """One call for each user, all at once; the statuses, 0 where nobody answered."""
    await wait_until(lambda: address_of(process) is not None or process.code is not None, 60)
    address = address_of(process)
    if address is None:
        return [0]
    client = Client(address, TOKEN)

    def call(user: str) -> int:
        try:
            return client.post("api/artworks/backfill-impressions", {"user_id": user}).status
        except (OSError, http.client.HTTPException):
            return 0

    users = [f"u{number:04}" for number in range(1, USERS + 1)]
    return list(await asyncio.gather(*(asyncio.to_thread(call, user) for user in users)))


def group_of(seen: tuple[Seen, ...]) -> tuple[Boundary, ...]:
    """The second transaction that writes for several users."""
    writes = [one for one in transactions(seen) if any("cte_fitting" in b.statement for b in one)]
    return writes[1]


def strikes(group: tuple[Boundary, ...]) -> Iterator[Strike]:
    """What writes or ends the transaction, each in one way; its commit in every way."""
    first = next(n for n, one in enumerate(group) if "cte_fitting" in one.statement)
    *inside, commit = group[first:]
    assert commit.statement.startswith("COMMIT")
    for boundary, (fault, moment) in zip(inside, cycle(EVERY_WAY), strict=False):
        yield Strike(fault, moment, boundary)
    for fault, moment in EVERY_WAY:
        yield Strike(fault, moment, commit)


async def disturb(place: Stage, strike: Strike) -> None:
    """Everybody logs in, the strike comes, and everybody logs in again until all are answered."""
    with place.command("serve") as process:
        await wait_until(lambda: address_of(process) is not None, 60)
        place.wire.arm(
            lambda boundary, moment: boundary == strike.boundary and moment is strike.moment,
            act_of(strike.fault, place, process),
        )
        statuses = await log_in(process)
        assert place.wire.struck.is_set(), f"never reached: {strike}"
        place.wire.disarm()
        if strike.fault is Fault.KILL:
            assert await process.ended() == -signal.SIGKILL
        else:
            assert set(statuses) <= {200, 503}, statuses
            await ask_until_all_are_answered(process)
            assert "Traceback" not in process.said
    if strike.fault is Fault.KILL:
        await place.expire_leases()
        with place.command("serve") as process:
            await ask_until_all_are_answered(process)


async def ask_until_all_are_answered(process: Victim) -> None:
    for _ in range(ROUNDS):
        statuses = await log_in(process)
        if set(statuses) == {200}:
            return
    raise AssertionError(f"after {ROUNDS} rounds: {statuses}")


async def audit(app: App) -> None:
    """Everybody has everything, from one run each; ledger, flags and totals say the same."""
    legacy = USERS * ARTWORKS
    assert await app.value(_OLD) == legacy
    assert await app.rows(_LISTED) == [(legacy, legacy)]
    assert await app.rows(_FLAGS) == [(USERS, legacy, legacy)]
    assert await app.value("SELECT count(*) FROM conservator.run") == USERS
    assert await counter(app, "heal_runs") == USERS
    await assert_records_agree(app)
    await assert_ledger_is_there(app)


async def test_no_fault_while_users_log_in_loses_a_user_or_writes_one_twice(
    server: PostgresServer,
) -> None:
    async with planted(server, users=USERS, artworks=ARTWORKS) as template:
        async with stage(server, template, config=CONFIG) as place:
            await place.app.run(_WITHOUT_AUDIT)
            with place.command("serve") as process:
                await ask_until_all_are_answered(process)
                group = group_of(tuple(place.wire.seen))
            await audit(place.app)
        gate = asyncio.Semaphore(AT_ONCE)

        async def case(strike: Strike) -> None:
            async with gate, stage(server, template, config=CONFIG) as place:
                await place.app.run(_WITHOUT_AUDIT)
                await disturb(place, strike)
                await audit(place.app)

        await asyncio.gather(*map(case, strikes(group)))
