"""Settings of what is counted or written change while a run is unfinished, or before its undo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from checks.errors import CatalogueError
from monitor.database import create_engine
from monitor.healing.errors import ActiveRunError, LeaseLostError, NotUndoableError
from monitor.healing.executor import RunResult
from monitor.policy.breaker_store import read_last_runs
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.run_tools import tools_to_undo, tools_to_work
from monitor.runtime import Runtime, build, inspect_catalogue
from monitor.service.service import Service
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import (
    heal,
    heal_until,
    make_runtime,
    make_settings,
    paced,
    plan,
    prepare_state,
    service_settings,
)
from tests.support.services import EAGER, QUICK, is_clean, running
from tests.support.undoing import BOOKS, assert_undo_is_booked, undo
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared, pytest.mark.long]

MORE = """
CREATE TABLE looks (
    visitor varchar NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    artwork varchar NOT NULL REFERENCES art_sessions (id) ON DELETE CASCADE,
    at timestamp NOT NULL,
    PRIMARY KEY (visitor, artwork)
);
INSERT INTO looks SELECT user_id, artwork_id, viewed_at FROM user_art_impressions;
ALTER TABLE user_art_impressions
    ADD looked_at timestamp NOT NULL DEFAULT '2020-01-01', ADD note text;
UPDATE user_art_impressions SET looked_at = viewed_at;
"""
LOOKS = {
    "impressions": {"table": "looks", "user": "visitor", "artwork": "artwork", "viewed_at": "at"}
}
OF_LOOKS = ("artwork", "table", "user", "viewed_at")
ROWS = "TABLE user_art_impressions"
SLOW = paced(2)


@dataclass(frozen=True)
class Change:
    """What is configured next, and what it is called."""

    settings: tuple[str, ...]
    config: Mapping[str, object]
    before: Mapping[str, object] = field(default_factory=dict)


CHANGES = {
    "table": Change(tuple(f"catalog.impressions.{name}" for name in OF_LOOKS), {"catalog": LOOKS}),
    "column": Change(
        ("catalog.impressions.viewed_at",),
        {"catalog": {"impressions": {"viewed_at": "looked_at"}}},
    ),
    "where": Change(
        ("catalog.artworks.where",), {"catalog": {"artworks": {"where": "id <> 'old0001'"}}}
    ),
    "audience": Change(("pools.audience",), {"pools": {"audience": "all"}}),
    "defaults": Change(
        ("catalog.impressions.defaults.note",),
        {"catalog": {"impressions": {"defaults": {"note": "'x'"}}}},
        {"catalog": {"impressions": {"defaults": {"note": "'y'"}}}},
    ),
}
NEW = {"table": 16, "where": 9, "audience": 17}
"""What is missing by the present settings when the first run has written four of sixteen."""
LEFT = {"table": 0, "where": 3}
"""Legacy pairs by the present settings, once the first run is undone; else all that it wrote."""


@asynccontextmanager
async def gallery(url: str) -> AsyncIterator[App]:
    async with app_on(url) as app:
        await app.plant(users=4, artworks=4)
        await app.run(MORE)
        yield app


async def killed(app: App) -> None:
    """As a process leaves it that is killed between two batches, once its lease has run out."""
    await app.run(
        "UPDATE conservator.run SET state = 'running', lease_until = now() - interval '1 s'"
        " WHERE state = 'held'"
    )


async def begun(runtime: Runtime, batches: int = 2) -> Run:
    """A run over the audience, put down in the middle."""
    ended = await heal_until(runtime, await plan(runtime), batches=batches)
    assert (ended.run.state, ended.run.inserted) == (RunState.HELD, 2 * batches)
    return ended.run


async def healed_by_hand(runtime: Runtime) -> Run:
    planned = await runtime.plan_audience(
        Trigger.API, reason="a test", max_rows=10**6, beyond_breaker=True
    )
    assert planned.run is not None
    return (await runtime.executor(lambda _: None).work(planned.run)).run


async def undone(runtime: Runtime, run_id: int) -> RunResult:
    tools = await tools_to_undo(runtime, run_id)
    return await undo(tools, run_id)


async def run_row(app: App, run_id: int) -> tuple[str, str, int]:
    ((state, outcome, work),) = await app.rows(
        "SELECT r.state, r.outcome, (SELECT count(*) FROM conservator.work WHERE run_id = r.id)"
        " FROM conservator.run AS r WHERE r.id = %(id)s",
        id=run_id,
    )
    return state, outcome, work


async def both_ways(app: App, one: str, other: str) -> list[tuple[object, ...]]:
    """The rows that only one of two tables has, each as often as it has it more."""
    return await app.rows(
        f"(TABLE {one} EXCEPT ALL TABLE {other}) UNION ALL (TABLE {other} EXCEPT ALL TABLE {one})"
    )


@pytest.mark.parametrize("name", CHANGES)
async def test_an_unfinished_run_ends_and_is_undone_by_its_own_settings(
    app_database_url: str, name: str
) -> None:
    change = CHANGES[name]
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **{**SLOW, **change.before}) as before:
            await app.run("CREATE TABLE first AS TABLE user_art_impressions")
            old = await begun(before)
            if name in {"table", "where"}:
                await killed(app)
            await app.run("CREATE TABLE written AS SELECT i.* FROM user_art_impressions AS i")
        async with make_runtime(app_database_url, **{**SLOW, **change.config}) as after:
            if name in {"table", "defaults"}:  # else the plan ends it
                assert await after.resume(old.id) is None
                assert await both_ways(app, "user_art_impressions", "written") == []
            new = await healed_by_hand(after)
            state, outcome, work = await run_row(app, old.id)
            assert (state, work) == ("partial", 0)
            assert f"other settings ({', '.join(change.settings)});" in outcome
            assert (new.state, new.legacy_after) == (RunState.SUCCEEDED, 0)
            assert new.inserted == NEW.get(name, 12)
            await app.run("CREATE TABLE healed AS TABLE user_art_impressions")
            looks = await app.fingerprint("looks")
            taken = (await undone(after, old.id)).run
            assert (taken.state, taken.inserted) == (RunState.SUCCEEDED, 4)
            await assert_undo_is_booked(app, taken.id)
            assert await app.fingerprint("looks") == looks
            # What is there now is what was there but for what the first run had written.
            await app.run(
                "CREATE TABLE expected AS SELECT h.* FROM healed AS h"
                " WHERE h.id NOT IN (SELECT id FROM written EXCEPT SELECT id FROM first)"
            )
            assert await both_ways(app, "user_art_impressions", "expected") == []
            # And it was counted by the present settings.
            census = await app.value(
                "SELECT legacy_untracked FROM conservator.census ORDER BY id DESC LIMIT 1"
            )
            assert census == LEFT.get(name, 4)


async def test_settings_that_alter_nothing_leave_a_run_alone(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            old = await begun(before)
        others = {
            **paced(3, lock_timeout="700ms", threshold=5, cooldown="3m"),
            "catalog": {"accept": ["unknown_users"]},
            "pools": {"fresh_for": "20m", "legacy_after": "8d"},
            "checks": {"census": {"every": "3m"}},
        }
        async with make_runtime(app_database_url, **others) as after:
            claimed = await after.resume(old.id)
            assert claimed is not None
            assert claimed.legacy_until == old.legacy_until
            ended = (await after.executor(lambda _: None).work(claimed)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 16)
        assert await app.value("SELECT count(*) FROM conservator.run") == 1


async def test_a_run_that_somebody_works_on_is_nobody_else_s(app_database_url: str) -> None:
    async with (
        gallery(app_database_url) as app,
        make_runtime(app_database_url, **SLOW) as leader,
        make_runtime(app_database_url, catalog=LOOKS) as other,
    ):
        run = await plan(leader)
        assert await other.resume(run.id) is None
        with pytest.raises(ActiveRunError, match=f"Run {run.id} is active"):
            await healed_by_hand(other)
        assert (await run_row(app, run.id))[0] == "running"
        ended = (await leader.executor(lambda _: None).work(run)).run
        assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 16)
        assert (await healed_by_hand(other)).inserted == 16


async def test_the_owner_of_a_run_that_was_ended_writes_no_more(app_database_url: str) -> None:
    async with (
        gallery(app_database_url) as app,
        make_runtime(app_database_url, **SLOW) as leader,
        make_runtime(app_database_url, catalog=LOOKS) as other,
    ):
        run = await plan(leader)
        await app.run("UPDATE conservator.run SET lease_until = now() - interval '1 s'")
        await other.end_others()
        before = await app.fingerprint("user_art_impressions")
        with pytest.raises(LeaseLostError):
            await leader.executor(lambda _: None).work(run)
        assert await app.fingerprint("user_art_impressions") == before


async def test_a_user_s_run_ends_without_its_once_flag(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            planned = await before.plan_user(Trigger.API, "u0001", reason="a test", force=False)
            assert isinstance(planned, Run)
            held = await heal_until(before, planned, batches=1)
            assert held.run.state is RunState.HELD
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            again = await after.plan_user(Trigger.API, "u0001", reason="a test", force=False)
            assert isinstance(again, Run)
            assert (await run_row(app, planned.id))[0] == "partial"
            assert await app.rows("SELECT * FROM conservator.backfilled_user") == []
            ended = (await after.executor(lambda _: None).work(again)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 4)
            assert await app.value("SELECT run_id FROM conservator.backfilled_user") == again.id


async def test_a_run_from_before_has_the_present_settings_and_keeps_them(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as runtime:
            old = await begun(runtime)
            await app.run("UPDATE conservator.run SET catalogue = NULL")
            claimed = await runtime.resume(old.id)
            assert claimed is not None
            assert claimed.catalogue == runtime.state.kept.settings
            await heal_until(runtime, claimed, batches=1)
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            assert await after.resume(old.id) is None
            assert (await run_row(app, old.id))[0] == "partial"


async def test_what_a_newer_version_planned_is_ended_and_left_to_it(app_database_url: str) -> None:
    async with gallery(app_database_url) as app, make_runtime(app_database_url, **SLOW) as runtime:
        old = await begun(runtime)
        await app.run(
            "UPDATE conservator.run SET catalogue = jsonb_set(catalogue, '{catalog,later}', '1')"
        )
        assert await runtime.resume(old.id) is None
        assert (await run_row(app, old.id))[1].startswith(
            "Ended where it stood: it was planned under other settings (catalog);"
        )
        with pytest.raises(NotUndoableError, match="newer version"):
            await tools_to_undo(runtime, old.id)


async def test_an_undo_under_way_goes_on_under_other_settings(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            first = await app.fingerprint("user_art_impressions")
            healed = (await heal(before)).run
        async with make_runtime(app_database_url, catalog=LOOKS, **SLOW) as between:
            tools = await tools_to_undo(between, healed.id)
            owner = tools.run_owner(Trigger.API)
            planned = await tools.undo_planner.plan(owner, healed.id, reason="a test")
            assert planned is not None
            held = await heal_until(tools, planned.run, batches=2)
            assert (held.run.state, held.run.inserted) == (RunState.HELD, 4)
        await killed(app)
        # A third configuration, with which neither was planned.
        other = {"catalog": {"users": {"where": "id <> 'u0004'"}, **LOOKS}}
        async with make_runtime(app_database_url, **other) as after:
            claimed = await after.resume(planned.run.id)
            assert claimed is not None
            tools = await tools_to_work(after, claimed)
            ended = (await tools.executor(lambda _: None).work(claimed)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 16)
            # Counted by the present settings: three users and no row of theirs in `looks`.
            assert ended.legacy_after == 12
        assert await app.fingerprint("user_art_impressions") == first


GONE = {
    "table": ("DROP TABLE user_art_impressions", "user_art_impressions, which is not there"),
    "column": (
        "ALTER TABLE user_art_impressions RENAME viewed_at TO seen_at",
        "can't be read any more: user_art_impressions.viewed_at",
    ),
}


@pytest.mark.parametrize("name", GONE)
async def test_what_is_gone_is_refused_before_anything_is_changed(
    app_database_url: str, name: str
) -> None:
    statement, told = GONE[name]
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(statement)
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            books = await app.fingerprint("conservator.run", "conservator.control")
            with pytest.raises(NotUndoableError, match=told):
                await tools_to_undo(after, healed.id)
            assert await app.fingerprint("conservator.run", "conservator.control") == books


RENAMED = {
    "table": (
        # What is called so by now is another table, with the very same rows.
        "ALTER TABLE user_art_impressions RENAME TO seen;"
        "CREATE TABLE user_art_impressions AS TABLE seen",
        {"table": "seen"},
    ),
    "columns": (
        "ALTER TABLE user_art_impressions RENAME viewed_at TO seen_at;"
        "ALTER TABLE user_art_impressions RENAME user_id TO visitor",
        {"viewed_at": "seen_at", "user": "visitor"},
    ),
}


@pytest.mark.parametrize("name", RENAMED)
async def test_what_was_only_renamed_is_taken_back_and_swept_by_its_present_name(
    app_database_url: str, name: str
) -> None:
    async def agree(_: object) -> None:
        return None

    statement, impressions = RENAMED[name]
    present = impressions.get("table", "user_art_impressions")
    user = impressions.get("user", "user_id")
    async with gallery(app_database_url) as app:
        rows = int(await app.value("SELECT count(*) FROM user_art_impressions"))
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(statement)
        async with make_runtime(
            app_database_url, catalog={"impressions": impressions}, **SLOW
        ) as after:
            await app.run(f"DELETE FROM {present} WHERE {user} = 'u0001'")
            gone = rows + 16 - int(await app.value(f"SELECT count(*) FROM {present}"))
            assert await sweep_ledger(after, agree) == 4
            tools = await tools_to_undo(after, healed.id)
            owner = tools.run_owner(Trigger.API)
            planned = await tools.undo_planner.plan(owner, healed.id, reason="a test")
            assert planned is not None
            held = (await heal_until(tools, planned.run, batches=1)).run
            assert held.impressions_oid == healed.impressions_oid
            claimed = await after.resume(planned.run.id)
            assert claimed is not None
            tools = await tools_to_work(after, claimed)
            ended = (await tools.executor(lambda _: None).work(claimed)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 12)
        assert await app.value(f"SELECT count(*) FROM {present}") == rows - (gone - 4)
        if name == "table":
            assert await app.value("SELECT count(*) FROM user_art_impressions") == rows + 16


async def test_rows_of_any_shape_are_taken_back_from_a_renamed_table(
    app_database_url: str,
) -> None:
    """Whatever is called so by now, and whatever is configured."""
    status = {"counts": "note IS NOT NULL", "set": {"note": "'seen'"}}
    async with gallery(app_database_url) as app:
        await app.run("UPDATE user_art_impressions SET note = 'app'")
        first = await app.fingerprint("user_art_impressions")
        config = {"catalog": {"impressions": status}}
        async with make_runtime(app_database_url, **config, **SLOW) as before:
            healed = (await heal(before)).run
            assert healed.inserted == 16
        await app.run(
            'ALTER TABLE user_art_impressions RENAME TO "Seen it";'
            'CREATE TABLE user_art_impressions AS TABLE "Seen it"'
        )
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            assert (await undone(after, healed.id)).run.inserted == 16
        assert await app.fingerprint('"Seen it"') == {'"Seen it"': first["user_art_impressions"]}
        assert await app.value("SELECT count(*) FROM user_art_impressions") == 4 + 16


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "any shape"])
async def test_where_another_table_has_the_name_a_person_says_which_one_is_meant(
    app_database_url: str, plain: bool
) -> None:
    async def agree(_: object) -> None:
        return None

    shape = {} if plain else {"counts": "note IS NOT NULL", "set": {"note": "'seen'"}}
    async with gallery(app_database_url) as app:
        await app.run("UPDATE user_art_impressions SET note = 'app'")
        first = await app.fingerprint("user_art_impressions")
        config = {"catalog": {"impressions": shape}}
        async with make_runtime(app_database_url, **config, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(
            "ALTER TABLE user_art_impressions RENAME TO looked;"
            "CREATE TABLE user_art_impressions (LIKE looked INCLUDING ALL);"
            "INSERT INTO user_art_impressions SELECT * FROM looked WHERE note = 'app'"
        )
        async with make_runtime(app_database_url, **config) as after:
            kept = await app.fingerprint("looked", "user_art_impressions", *BOOKS[1:])
            with pytest.raises(NotUndoableError) as error:
                await tools_to_undo(after, healed.id)
            assert str(error.value) == (
                "Run 1 wrote to the table that is called public.looked now, and"
                " user_art_impressions is another one by now: to take its rows back from the"
                " first, name public.looked in catalog.impressions for the undo; where they were"
                " copied to user_art_impressions, drop public.looked."
            )
            # None of its rows were ever in the present one, and none is gone.
            assert await sweep_ledger(after, agree) == 0
            assert await app.fingerprint("looked", "user_art_impressions", *BOOKS[1:]) == kept
        named = {"impressions": {"table": "public.looked", **shape}}
        async with make_runtime(app_database_url, catalog=named) as after:
            assert (await undone(after, healed.id)).run.inserted == 16
        assert await app.fingerprint("looked") == {"looked": first["user_art_impressions"]}


async def test_users_of_a_table_that_only_has_the_name_are_not_forgotten(
    app_database_url: str,
) -> None:
    async def agree(_: object) -> None:
        return None

    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(
            f"INSERT INTO conservator.backfilled_user VALUES ('u0003', {healed.id}, 1, now());"
            "ALTER TABLE users RENAME TO people; CREATE TABLE users (LIKE people INCLUDING ALL)"
        )
        async with make_runtime(app_database_url) as after:
            await forget_erased(after, agree)
            assert await app.value("SELECT count(*) FROM conservator.backfilled_user") == 1


async def test_users_of_a_renamed_table_are_forgotten_with_it(app_database_url: str) -> None:
    async def agree(_: object) -> None:
        return None

    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(
            "INSERT INTO conservator.backfilled_user VALUES ('u0003', %(run)s, 1, now());",
            run=healed.id,
        )
        await app.run("DELETE FROM users WHERE id = 'u0003'")
        await app.run("ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME id TO uid")
        people = {"users": {"table": "people", "id": "uid"}}
        async with make_runtime(app_database_url, catalog=people) as after:
            await forget_erased(after, agree)
            assert await app.value("SELECT count(*) FROM conservator.backfilled_user") == 0


async def test_a_column_beside_the_one_of_then_is_another(app_database_url: str) -> None:
    """That of then tells the rows, in the table that has another name."""
    async with gallery(app_database_url) as app:
        before_all = int(await app.value("SELECT count(*) FROM user_art_impressions"))
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run(
            "UPDATE user_art_impressions SET looked_at = viewed_at + interval '1 hour';"
            "ALTER TABLE user_art_impressions RENAME TO seen"
        )
        other = {"impressions": {"table": "seen", "viewed_at": "looked_at"}}
        async with make_runtime(app_database_url, catalog=other) as after:
            assert (await undone(after, healed.id)).run.inserted == 16
        assert await app.value("SELECT count(*) FROM seen") == before_all


async def test_another_spelling_of_a_name_is_swept_all_the_same(app_database_url: str) -> None:
    async def agree(_: object) -> None:
        return None

    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        # As after a restore: the table has another number than the run kept.
        await app.run(
            "UPDATE conservator.run SET impressions_oid = 1;"
            f"INSERT INTO conservator.backfilled_user VALUES ('u0003', {healed.id}, 1, now());"
            "DELETE FROM user_art_impressions WHERE user_id = 'u0003';"
            "DELETE FROM looks WHERE visitor = 'u0003'; DELETE FROM users WHERE id = 'u0003'"
        )
        spelled = {
            "impressions": {"table": "public.user_art_impressions"},
            "users": {"table": "public.users"},
        }
        async with make_runtime(app_database_url, catalog=spelled) as after:
            assert await sweep_ledger(after, agree) == 4
            await forget_erased(after, agree)
            assert await app.value("SELECT count(*) FROM conservator.backfilled_user") == 0


async def test_an_undo_needs_the_impressions_alone(app_database_url: str) -> None:
    """Where the artworks are others, too, and those of then are gone."""
    async with gallery(app_database_url) as app:
        first = await app.fingerprint("user_art_impressions")
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        await app.run("ALTER TABLE art_sessions RENAME created_at TO made_at")
        catalog = {"artworks": {"created_at": "made_at"}, **LOOKS}
        async with make_runtime(app_database_url, catalog=catalog) as after:
            assert (await undone(after, healed.id)).run.inserted == 16
        assert await app.fingerprint("user_art_impressions") == first


async def test_what_lies_in_another_table_is_not_swept(app_database_url: str) -> None:
    async def agree(_: object) -> None:
        return None

    listed = "SELECT run_id, count(*) FROM conservator.backfilled_impression GROUP BY 1 ORDER BY 1"
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            old = (await heal(before)).run
        await app.run("CREATE TABLE people AS TABLE users; ALTER TABLE people ADD PRIMARY KEY (id)")
        await app.run("DELETE FROM looks WHERE visitor = 'u0001'")
        catalog = {"users": {"table": "people"}, **LOOKS}
        async with make_runtime(app_database_url, catalog=catalog) as after:
            new = (await heal(after)).run
            rows = await app.rows(listed)
            await app.run("DELETE FROM looks WHERE visitor = 'u0002'")
            # Gone from the present table, where none of the old run's rows ever were.
            assert await sweep_ledger(after, agree, step=5, seconds=0) >= 0
            for _ in range(6):
                await sweep_ledger(after, agree, step=5, seconds=0)
            found = dict(await app.rows(listed))
            assert found[old.id] == dict(rows)[old.id] == 16
            assert found[new.id] == dict(rows)[new.id] - 4
            # A flag of then is of a user of the table of then.
            await app.run(
                "INSERT INTO conservator.backfilled_user VALUES ('u0003', %(old)s, 1, now()),"
                " ('u0004', %(new)s, 1, now())",
                old=old.id,
                new=new.id,
            )
            await app.run("DELETE FROM people WHERE id IN ('u0003', 'u0004')")
            await forget_erased(after, agree)
            flags = await app.rows("SELECT user_id FROM conservator.backfilled_user")
            assert flags == [("u0003",)]
            assert (await undone(after, old.id)).run.inserted == 16


async def test_a_row_that_counts_no_more_is_not_swept(app_database_url: str) -> None:
    async def agree(_: object) -> None:
        return None

    async with gallery(app_database_url):
        async with make_runtime(app_database_url, **SLOW) as before:
            old = (await heal(before)).run
        counts = {"impressions": {"counts": "note IS NOT NULL", "defaults": {"note": "'seen'"}}}
        async with make_runtime(app_database_url, catalog=counts) as after:
            assert await sweep_ledger(after, agree) == 0
            assert (await undone(after, old.id)).run.inserted == 16


async def test_an_ended_run_is_not_stuck(app_database_url: str) -> None:
    async with gallery(app_database_url):
        async with make_runtime(app_database_url, **SLOW) as before:
            await begun(before)
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            await after.end_others()
            async with after.transaction() as connection:
                assert await read_last_runs(connection, after.state, 3) == ()


async def test_an_unfinished_run_of_the_revision_before_goes_on(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            old = await begun(before)
        await app.run(
            """ALTER TABLE conservator.run DROP COLUMN catalogue, DROP COLUMN impressions_oid,
                DROP COLUMN users_oid, DROP COLUMN artworks, DROP COLUMN repair,
                DROP COLUMN repair_plan, DROP COLUMN repair_oid;
            DROP INDEX IF EXISTS conservator.one_active_run;
            CREATE UNIQUE INDEX one_active_run ON conservator.run ((TRUE))
                WHERE kind IN ('heal', 'undo') AND state IN ('running', 'held');
            DROP TABLE conservator.repair_work, conservator.repaired_row,
                conservator.repair_control, conservator.repair_status,
                conservator.repair_decision;
            ALTER TABLE conservator.batch DROP COLUMN size, DROP COLUMN size_reason;
            ALTER TABLE conservator.work DROP COLUMN artworks;
            ALTER TABLE conservator.check_status DROP COLUMN stale_after_seconds;
            DROP INDEX conservator.backfilled_impression_pair;
            ALTER TABLE conservator.control DROP COLUMN tallied;
            DROP INDEX conservator.backfilled_impression_viewed_at;
            UPDATE conservator.schema_version SET version_num = '0006'"""
        )
        async with make_runtime(app_database_url, **SLOW) as after:
            claimed = await after.resume(old.id)
            assert claimed is not None
            ended = (await after.executor(lambda _: None).work(claimed)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 16)
            assert (await undone(after, old.id)).run.inserted == 16


async def test_an_undo_of_a_run_from_before_keeps_what_it_began_with(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        first = await app.fingerprint("user_art_impressions")
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
            await app.run("UPDATE conservator.run SET catalogue = NULL")
            tools = await tools_to_undo(before, healed.id)
            owner = tools.run_owner(Trigger.API)
            planned = await tools.undo_planner.plan(owner, healed.id, reason="a test")
            assert planned is not None
            await heal_until(tools, planned.run, batches=1)
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            tools = await tools_to_undo(after, healed.id)
            again = await tools.undo_planner.plan(owner, healed.id, reason="a test")
            assert again is not None
            assert again.resumed
            await tools.executor(lambda _: None).work(again.run)
        assert await app.fingerprint("user_art_impressions") == first


@asynccontextmanager
async def owner_s_runtime(url: str, **config: object) -> AsyncIterator[Runtime]:
    """The tools although something blocks healing, as a service has them."""
    settings = make_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
    try:
        examination = await inspect_catalogue(engine, settings)
        assert examination.catalogue is not None
        yield build(engine, settings, examination, examination.catalogue)
    finally:
        await engine.dispose()


async def test_types_follow_another_table_only_where_no_row_becomes_another(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app:
        first = await app.fingerprint("user_art_impressions")
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
        # The same texts under another type: ours follow, and the old rows are found.
        await app.run(
            "ALTER TABLE looks ALTER visitor TYPE text, ALTER artwork TYPE text;"
            "CREATE TABLE days AS SELECT visitor, artwork, at::date AS at FROM looks;"
            "ALTER TABLE days ADD PRIMARY KEY (visitor, artwork), ALTER at SET NOT NULL"
        )
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            assert (await undone(after, healed.id)).run.inserted == 16
        assert await app.fingerprint("user_art_impressions") == first
        async with make_runtime(app_database_url, catalog=LOOKS) as after:
            of_looks = (await heal(after)).run
        before_days = await app.fingerprint("conservator.backfilled_impression")
        days = {"impressions": {**LOOKS["impressions"], "table": "days"}}
        with pytest.raises(CatalogueError, match="could not be found again"):
            async with make_runtime(app_database_url, catalog=days):
                pass
        assert await app.fingerprint("conservator.backfilled_impression") == before_days
        async with owner_s_runtime(app_database_url, catalog=days) as known:
            assert (await undone(known, of_looks.id)).run.inserted == 16
        # Nothing is listed any more that would become another row.
        async with make_runtime(app_database_url, catalog=days) as after:
            assert (await heal(after)).run.inserted == 16


async def service(url: str, catalog: Mapping[str, object], **healing: object) -> Service:
    settings = await service_settings(
        url, catalog=catalog, checks=QUICK, healing={**EAGER, **healing}, lease="1s"
    )
    return Service(settings)


async def test_the_leader_ends_what_nobody_works_on_and_plans_anew(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            old = await begun(before)
        await killed(app)
        async with running(await service(app_database_url, LOOKS)) as leader:
            await wait_until(lambda: is_clean(leader))
            run = await leader.commands.run(old.id)
            assert run is not None
            assert leader.commands.other_settings(run) == tuple(
                f"catalog.impressions.{name}" for name in OF_LOOKS
            )
            assert (await leader.commands.would_undo(old.id)).untouched == 4
            undo_run = await leader.commands.undo(old.id)
            assert undo_run is not None

            async def is_undone() -> bool:
                return (await run_row(app, undo_run))[0] == "succeeded"

            await wait_until(is_undone)
        rows = await app.rows("SELECT kind, state, inserted FROM conservator.run ORDER BY id")
        assert rows == [("heal", "partial", 4), ("heal", "succeeded", 16), ("undo", "succeeded", 4)]


async def test_a_follower_of_other_settings_leaves_the_leader_s_run_alone(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app:
        await prepare_state(app_database_url)
        async with (
            running(await service(app_database_url, {}, pace={"max_batch": 1, "duty": "20%"})) as a,
            running(await service(app_database_url, LOOKS, mode="observe")) as b,
        ):
            await wait_until(lambda: a.board.current.active_run is not None or is_clean(a))
            assert a.board.current.leader
            assert not b.board.current.leader
            refused = 0
            while not is_clean(a):
                try:
                    await b.commands.backfill_all()
                except ActiveRunError:
                    refused += 1
                    continue
                break
            assert refused
            await wait_until(lambda: is_clean(a))
        runs = await app.rows(
            "SELECT catalogue->'catalog'->'impressions'->>'table', state, inserted"
            " FROM conservator.run ORDER BY id"
        )
        assert runs[0] == ("user_art_impressions", "succeeded", 16)


async def test_an_undo_whose_table_is_gone_ends_and_says_so(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **SLOW) as before:
            healed = (await heal(before)).run
            owner = before.run_owner(Trigger.API)
            planned = await before.undo_planner.plan(owner, healed.id, reason="a test")
            assert planned is not None
            await heal_until(before, planned.run, batches=1)
        await app.run("DROP TABLE user_art_impressions")
        async with running(await service(app_database_url, LOOKS)):

            async def has_ended() -> bool:
                return (await run_row(app, planned.run.id))[0] == "failed"

            await wait_until(has_ended)
        outcome = (await run_row(app, planned.run.id))[1]
        assert outcome.startswith(f"Run {healed.id} wrote to user_art_impressions, which is not")
