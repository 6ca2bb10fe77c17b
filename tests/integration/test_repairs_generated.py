"""Random tables, faults and writers: exactly the named rows change, once; an undo gives back all
but what was touched since. Judged by copies of the table, not by what the program says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given

from monitor.healing import repair_planner
from tests.support.app import App, app_on
from tests.support.generated import examples
from tests.support.healing import make_runtime
from tests.support.repair_cases import COLUMNS, DDL, STAMPED, TABLE, Case, cases, repair, schema
from tests.support.repairing import plan_repair, take_back

Copy = dict[int, Any]


async def copy(app: App) -> Copy:
    """Every row as text, by its number."""
    rows = await app.rows(f"SELECT t.n, t::text, t.state, t.stamp FROM {TABLE} AS t")
    return {row[0]: row[1:] for row in rows}


async def live_on(app: App, numbers: list[int], what: tuple[str, ...]) -> dict[int, str]:
    """What others do to these rows, in turn; what was done to which."""
    done = {}
    for at, n in enumerate(numbers):
        act = what[at % len(what)] if what else ""
        if act == "touch":
            await app.run(f"UPDATE {TABLE} SET stamp = concat(stamp, '+') WHERE n = {n}")
        elif act == "mend":
            await app.run(f"UPDATE {TABLE} SET state = 'right' WHERE n = {n}")
        elif act == "gone":
            await app.run(f"DELETE FROM {TABLE} WHERE n = {n}")
        if act:
            done[n] = act
    return done


async def take_keys(app: App, case: Case, numbers: list[int]) -> None:
    """Rows of others, whose keys are those of deleted ones."""
    listed = ", ".join(await key_columns(app))
    for n in numbers:
        await app.run(
            f"INSERT INTO {TABLE} ({listed}, n, state) SELECT {listed}, n, 'taken'"
            f" FROM strange.source WHERE n = {n}"
        )


async def key_columns(app: App) -> list[str]:
    rows = await app.rows(
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'strange.source'::regclass"
        " AND attnum > 1 ORDER BY attnum"
    )
    return [name for (name,) in rows]


@examples(20)
@given(case=cases)
async def test_exactly_the_named_rows_change_once_and_undo_gives_them_back(
    app_database_url: str, service_url: str, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(schema(case))
        await app.run(
            "TRUNCATE conservator.run, conservator.batch, conservator.repair_work,"
            " conservator.repaired_row, conservator.repair_control CASCADE"
        )
        pace = {"pace": {"max_batch": case.max_batch}}
        config = {"repairs": [repair(case)], "healing": pace}
        async with make_runtime(service_url, **config) as runtime:
            if not case.asks_again:
                monkeypatch.setattr(repair_planner, "CHEAP", -1.0)
                monkeypatch.setattr(repair_planner, "SHARE", -1.0)
            wrong = [n for n in range(1, case.rows + 1) if n % case.wrong == 0]
            tools, run = await plan_repair(runtime, "any", max_rows=case.max_rows)
            monkeypatch.undo()
            if run is None:
                assert not wrong
                return
            assert run.repair_plan is not None
            assert run.repair_plan["asks_again"] is case.asks_again
            assert run.planned_rows == min(len(wrong), case.max_rows)
            frozen = [
                n
                for (n,) in await app.rows(
                    "SELECT s.n FROM strange.source AS s JOIN conservator.repair_work AS w ON "
                    + await key_condition(app, case)
                )
            ]
            assert len(frozen) == run.planned_rows
            if case.at_once:
                await at_once(app, runtime, case, tools, run, frozen)
                return
            acts = await live_on(app, frozen[::3], case.meanwhile)
            before = await copy(app)
            ended = (await tools.executor(lambda _: None).work(run)).run
            after = await copy(app)
            changed = {n for n in {*before, *after} if before.get(n) != after.get(n)}
            assert changed == {n for n in frozen if is_mended(case, acts.get(n, ""))}
            assert ended.inserted == len(changed)
            assert_mended(case, after, changed)
            await undo_and_compare(app, runtime, case, ended.id, before, sorted(changed))


def statement(case: Case, act: str, n: int, keys: str) -> str:
    """What another session does to a row, if it is still wrong, or missing."""
    if case.action == "insert":
        return (
            f"INSERT INTO {TABLE} ({keys}, n, state) SELECT {keys}, n, 'taken'"
            f" FROM strange.source WHERE n = {n} ON CONFLICT DO NOTHING"
        )
    return {
        "touch": f"UPDATE {TABLE} SET stamp = concat(stamp, '+') WHERE n = {n}",
        "mend": f"UPDATE {TABLE} SET state = 'right' WHERE n = {n} AND state = 'wrong'",
        "gone": f"DELETE FROM {TABLE} WHERE n = {n} AND state = 'wrong'",
    }[act]


async def at_once(
    app: App, runtime: Any, case: Case, tools: Any, run: Any, frozen: list[int]
) -> None:
    """The run with somebody beside it. Each row was mended, once, and is listed; or the other one
    was first, and it is as that one left it."""
    keys = ", ".join(await key_columns(app))
    before = await copy(app)
    working = asyncio.create_task(tools.executor(lambda _: None).work(run))
    acts: dict[int, tuple[str, bool]] = {}
    for at, n in enumerate(reversed(frozen[::2])):
        act = case.at_once[at % len(case.at_once)]
        done = await app.connection.execute(statement(case, act, n, keys).encode())
        acts[n] = act, done.rowcount == 1
    ended = (await working).run
    after = await copy(app)
    rows = await app.rows(
        "SELECT (coalesce(before, after) ->> 'n')::int FROM conservator.repaired_row"
    )
    listed = {n for (n,) in rows}
    assert len(rows) == len(listed) == ended.inserted
    for n in {*before, *after, *frozen}:
        if n not in frozen:
            assert after[n] == before[n] and n not in listed
        else:
            act, first = acts.get(n, ("", False))
            assert agrees(case, act, first, n in listed, after.get(n)), (
                n,
                act,
                first,
                after.get(n),
            )
    undone = await take_back(runtime, ended.id)
    last = await copy(app)
    for n in {*before, *after, *last}:
        if n not in listed:
            assert last.get(n) == after.get(n)
        elif n not in acts:
            assert last.get(n) == before.get(n)
        elif case.action != "insert":
            # Touched before, and it is as it was then; or after, and it stays.
            assert last[n][1] in ("wrong", "mended")
    assert undone is None or undone.run.inserted <= len(listed)


def agrees(case: Case, act: str, first: bool, listed: bool, row: Any) -> bool:
    """Whether a frozen row is as the repair, or the other session, has left it."""
    state = None if row is None else row[1]
    won = first and (act != "touch" or case.action == "insert")
    if listed:
        return not won and state == (None if case.action == "delete" else "mended")
    if case.action == "insert":
        return won and state == "taken"
    return first and state == {"touch": "wrong", "mend": "right", "gone": None}[act]


async def key_condition(app: App, case: Case) -> str:
    """A row of `source` is the frozen one: by the values as text, whatever the JSON is."""
    parts = []
    for name, plain, kind in zip(
        await key_columns(app), COLUMNS[: len(case.keys)], case.keys, strict=True
    ):
        cast = "bpchar" if kind.startswith("char") else kind
        parts.append(f"(w.key ->> '{plain}')::{cast} = s.{name}")
    return " AND ".join(parts)


def is_mended(case: Case, act: str) -> bool:
    """Whether the row is changed, after what others did to it since the plan."""
    if case.action == "insert":
        return True  # there was none to be touched
    if act == "touch":
        return case.asks_again
    return act == ""


def assert_mended(case: Case, after: Copy, changed: set[int]) -> None:
    for n in changed:
        if case.action == "delete":
            assert n not in after
        else:
            assert after[n][1] == "mended"
        if case.action != "delete" and case.trigger:
            assert after[n][2].endswith(STAMPED)


async def undo_and_compare(
    app: App, runtime: Any, case: Case, run_id: int, before: Copy, changed: list[int]
) -> None:
    since = case.since
    if case.action == "delete":
        what = [since[at % len(since)] if since else "" for at in range(len(changed[::3]))]
        stays = {n for n, act in zip(changed[::3], what, strict=True) if act == "taken"}
        await take_keys(app, case, sorted(stays))
    else:
        acts = await live_on(app, changed[::3], tuple(one for one in since if one != "taken"))
        stays = {n for n, act in acts.items() if act in ("touch", "gone")}
    lived = await copy(app)
    there, back = DDL[case.ddl]
    if there:
        await app.run(f"ALTER TABLE {TABLE} {there}")
    undone = await take_back(runtime, run_id)
    if back:
        await app.run(f"ALTER TABLE {TABLE} {back}")
    last = await copy(app)
    for n in {*before, *lived, *last}:
        if n in stays or n not in changed:
            assert last.get(n) == lived.get(n)
        else:
            assert last.get(n) == before.get(n)
    given = len(changed) - len(stays)
    assert (undone is None) == (given == 0)
    if undone is not None:
        assert undone.run.inserted == given
        left = await app.value("SELECT count(*) FROM conservator.repaired_row")
        gone = 0 if case.action == "delete" else sum(n not in lived for n in stays)
        assert left == len(stays) - gone
