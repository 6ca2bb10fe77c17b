"""What stops a repair: what its table is, what `find` returns, people, breakers, other runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from checks.errors import CatalogueError, ConfigurationError, StatementError
from monitor.database import create_engine
from monitor.healing import repair_planner
from monitor.healing.errors import ActiveRunError, PausedError, RepairRefusedError
from monitor.run_tools import repair_faults
from monitor.service.startup import load_runtime
from monitor.state import control
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import heal, make_runtime, plan, service_settings
from tests.support.repairing import configured, mend, plan_repair, previewed, tools_of

TABLES = """
CREATE TABLE plain (id int PRIMARY KEY, user_id text, state text,
    twice int GENERATED ALWAYS AS (id * 2) STORED, number int GENERATED ALWAYS AS IDENTITY);
INSERT INTO plain SELECT n, 'u' || n, 'wrong' FROM generate_series(1, 9) AS n;
CREATE TABLE keyless (id int, state text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent
    ON DELETE CASCADE ON UPDATE CASCADE);
CREATE VIEW seen AS SELECT * FROM plain;
CREATE TABLE heirs (id int PRIMARY KEY);
CREATE TABLE heir () INHERITS (heirs);
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE RULE never AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE TABLE late (id int PRIMARY KEY, CONSTRAINT late_id UNIQUE (id) DEFERRABLE);
CREATE TABLE hidden (id int PRIMARY KEY);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE SCHEMA apart;
CREATE TABLE apart.secret (id int PRIMARY KEY);
INSERT INTO users (id) VALUES ('u1');
"""
ALL = "SELECT id FROM {}"
DELETE = {"action": "delete"}
REFUSED: Mapping[str, tuple[dict[str, object], str]] = {
    "no_table": ({"table": "nowhere", "find": "SELECT 1 AS id", **DELETE}, "table: There is no"),
    "a_view": ({"table": "seen", "find": ALL.format("seen"), **DELETE}, "table: seen is a view"),
    "catalogue": (
        {"table": "pg_catalog.pg_class", "find": "SELECT 1 AS oid", **DELETE},
        "one of PostgreSQL's",
    ),
    "heirs": ({"table": "heirs", "find": ALL.format("heirs"), **DELETE}, "inheritance children"),
    "ruled": ({"table": "ruled", "find": ALL.format("ruled"), **DELETE}, r"has rules \(never\)"),
    "hidden": ({"table": "hidden", "find": ALL.format("hidden"), **DELETE}, "Row security may"),
    "keyless": (
        {"table": "keyless", "find": ALL.format("keyless"), **DELETE},
        "key: keyless has no primary key",
    ),
    "not_unique": (
        {"table": "keyless", "key": "id", "find": ALL.format("keyless"), **DELETE},
        "CREATE UNIQUE INDEX",
    ),
    "no_key": ({"table": "plain", "find": "SELECT state FROM plain", **DELETE}, "key column id"),
    "key_gone": (
        {"table": "plain", "key": "nowhere", "find": ALL.format("plain"), **DELETE},
        "no column nowhere",
    ),
    "unknown": (
        {"table": "plain", "find": "SELECT id, 1 AS other FROM plain", **DELETE},
        "no column other, which it returns",
    ),
    "twice": ({"table": "plain", "find": "SELECT id, id FROM plain", **DELETE}, "returns id twice"),
    "generated": (
        {"table": "plain", "find": "SELECT id, 1 AS twice FROM plain", "action": "update"},
        "returns twice, which PostgreSQL alone writes",
    ),
    "identity": (
        {"table": "plain", "find": "SELECT id, 1 AS number FROM plain", "action": "update"},
        "returns number, which",
    ),
    "only_keys": (
        {"table": "plain", "find": ALL.format("plain"), "action": "update"},
        "nothing but the key",
    ),
    "two_statements": ({"table": "plain", "find": "SELECT 1; SELECT 2", **DELETE}, "no single SEL"),
    "writes": (
        {"table": "plain", "find": "DELETE FROM plain RETURNING id", **DELETE},
        "no single SELECT",
    ),
    "writes_inside": (
        {
            "table": "plain",
            "find": "WITH x AS (DELETE FROM plain RETURNING id) SELECT id FROM x",
            **DELETE,
        },
        "refused by PostgreSQL",
    ),
    "brackets": (
        {"table": "plain", "find": "SELECT id FROM plain) AS a, (SELECT 1 AS one", **DELETE},
        "only within brackets",
    ),
    "average": (
        {"table": "plain", "find": "SELECT avg(id) AS id FROM plain", **DELETE},
        r"find: It returns id as numeric, and that column of plain is integer: .*\(…\)::integer AS",
    ),
    "locks": (
        {"table": "plain", "find": "SELECT id FROM plain FOR UPDATE", **DELETE},
        "find: .* to write or to lock, and is to read only: cannot execute SELECT FOR UPDATE",
    ),
    "parameter": (  # behind an escape that the configuration does not read
        {
            "table": "plain",
            "find": "SELECT id FROM plain WHERE state <> E'\\'' AND id < $1 AND state <> '' --'",
            **DELETE,
        },
        r"find: It has a parameter \(\$1\)",
    ),
    "no_column": ({"table": "plain", "find": "SELECT nix AS id FROM plain", **DELETE}, "42703"),
    "cascades": (
        {"table": "parent", "find": ALL.format("parent"), **DELETE},
        "foreign keys would change rows of other tables: child_parent_fkey of child",
    ),
    "late": (
        {"table": "late", "find": ALL.format("late"), **DELETE},
        "key: Of late, late_id is a second unique constraint on the same columns, and deferrable",
    ),
    "impressions": (
        {
            "table": "user_art_impressions",
            "find": "SELECT id, now()::timestamp AS viewed_at FROM user_art_impressions",
            "action": "update",
        },
        "action: user_art_impressions holds the impressions",
    ),
}


async def test_what_can_not_be_a_repair_is_refused_at_the_start_with_its_path_all_at_once(
    app_database_url: str,
) -> None:
    listed = [configured(name, **keys) for name, (keys, _) in REFUSED.items()]
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        settings = await service_settings(app_database_url, repairs=listed)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=2)
        try:
            with pytest.raises(ConfigurationError) as refused:
                await load_runtime(engine, settings, holder="a test")
        finally:
            await engine.dispose()
    told = str(refused.value).splitlines()
    for index, (name, (_, says)) in enumerate(REFUSED.items()):
        mine = [line for line in told if line.startswith(f"repairs[{index}].")]
        assert any(re.search(says, line) for line in mine), (name, mine)


async def test_a_key_that_no_row_can_be_put_back_by_is_none(app_database_url: str) -> None:
    """ON CONFLICT may not name it, so that what was deleted could not be given back."""
    find = "SELECT id, valid FROM booked"
    repairs = [
        configured("one", table="booked", find=find, **DELETE),
        configured("two", table="booked", key=["id", "valid"], find=find, **DELETE),
    ]
    async with app_on(app_database_url) as app:
        if int(await app.value("SHOW server_version_num")) < 180000:
            pytest.skip("WITHOUT OVERLAPS is known since PostgreSQL 18")
        await app.run(
            "CREATE TABLE booked (id int4range, valid daterange, PRIMARY KEY (id, valid WITHOUT"
            " OVERLAPS)); INSERT INTO booked VALUES ('[1,2)', '[2024-01-01,2024-02-01)')"
        )
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            first, second = await repair_faults(runtime)
    assert first.startswith("repairs[0].key: booked has no primary key (none that is")
    assert second.startswith("repairs[1].key: No unique index proves that id, valid names one row")


async def test_what_the_role_may_not_do_is_refused_with_the_grant(app_database_url: str) -> None:
    repairs = [
        configured("a", table="plain", find="SELECT id FROM apart.secret", **DELETE),
        configured("b", table="plain", find=ALL.format("plain"), **DELETE),
    ]
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        settings = await service_settings(app_database_url, repairs=repairs)
        async with make_runtime(settings.database.url.get_secret_value(), repairs=repairs) as one:
            assert await repair_faults(one) == ()
            await app.run(
                "REVOKE SELECT ON apart.secret FROM conservator_healer;"
                "REVOKE INSERT, DELETE ON plain FROM conservator_healer"
            )
            schema, own, table = await repair_faults(one)
            assert 'repairs[0].find: It reads apart.secret: GRANT SELECT ON "apart"."sec' in schema
            assert "repairs[0].table" in own and "GRANT DELETE, INSERT" in own
            assert "repairs[1].table" in table
            assert 'GRANT DELETE, INSERT ON "public"."plain" TO' in table
            with pytest.raises(CatalogueError, match="GRANT DELETE, INSERT"):
                await tools_of(one, "b")
            await app.run("REVOKE USAGE ON SCHEMA apart FROM conservator_healer")
            schema, *_ = await repair_faults(one)
            assert "permission denied for schema apart" in schema and "--print-sql" in schema


UNPLANNED = {
    "twice": ("SELECT 1 AS id UNION ALL SELECT 1", "names 1 keys more than once"),
    "nulls": ("SELECT NULL::int AS id", "1 rows with a NULL in their key"),
    "fails": ("SELECT 1 / (id - 1) AS id FROM plain", "fails on a value .*division by zero"),
    # What readers of the page are told holds no values.
    "unreadable": (
        "SELECT id FROM plain WHERE ('secret' || id)::int > 0",
        r"fails on a value that it meets \(22P02: invalid input syntax for type integer\)\.$",
    ),
    "late": ("SELECT id FROM plain, pg_sleep(9)", "ran longer than it may"),
}


@pytest.mark.parametrize("case", UNPLANNED)
async def test_a_find_that_can_not_be_evaluated_is_an_error_and_never_nothing_to_do(
    app_database_url: str, case: str
) -> None:
    find, says = UNPLANNED[case]
    repairs = [configured("one", table="plain", find=find, **DELETE)]
    hasty = {"database": {"statement_timeout": "300ms"}} if case == "late" else {}
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=repairs, **hasty) as runtime:
            with pytest.raises(StatementError, match=says):
                await previewed(runtime, "one")
            with pytest.raises(StatementError, match=f"one could not be planned: .*{says}"):
                await plan_repair(runtime, "one")
            assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_a_function_that_writes_is_found_before_anybody_is_asked(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        await app.run(
            "CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS"
            " 'DELETE FROM plain WHERE id = 9 RETURNING id'"
        )
        repairs = [configured("one", table="plain", find="SELECT sly() AS id", **DELETE)]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            with pytest.raises(StatementError, match="wants to write"):
                await previewed(runtime, "one")
        assert await app.value("SELECT count(*) FROM plain") == 9


MEND = configured(
    "one",
    table="plain",
    find="SELECT id, 'right' AS state FROM plain WHERE state = 'wrong'",
    action="update",
)


async def test_pause_breakers_and_other_runs_stop_it(app_database_url: str) -> None:
    tight = {**MEND, "name": "tight", "breaker": {"max_rows": 8, "max_share": "100%"}}
    share = {**MEND, "name": "share", "breaker": {"max_rows": 100, "max_share": "50%"}}
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        await app.plant(users=4, artworks=5)
        repairs = [MEND, tight, share]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            with pytest.raises(
                RepairRefusedError, match=r"names 9 rows, and breaker\.max_rows is 8"
            ):
                await plan_repair(runtime, "tight")
            with pytest.raises(RepairRefusedError, match=r"names 9 rows, 100% of plain"):
                await plan_repair(runtime, "share")
            async with runtime.transaction() as connection:
                await control.pause(connection, runtime.state, "lunch")
            with pytest.raises(PausedError):
                await plan_repair(runtime, "one")
            async with runtime.transaction() as connection:
                await control.resume(connection, runtime.state)
                await control.mark_breaker_open(
                    connection, runtime.state, code="share", reason="so much"
                )
            with pytest.raises(RepairRefusedError, match="so much"):
                await plan_repair(runtime, "one")
            tools, run = await plan_repair(runtime, "one", beyond_breaker=True)
            assert run is not None
            with pytest.raises(ActiveRunError):
                await plan_repair(runtime, "tight", beyond_breaker=True)
            with pytest.raises(ActiveRunError):
                await plan(runtime)
            assert (await tools.executor(lambda _: None).work(run)).run.inserted == 9
            await app.run("UPDATE conservator.control SET breaker_open = FALSE")
            healing = await plan(runtime)
            with pytest.raises(ActiveRunError, match=f"Run {healing.id} is active"):
                await plan_repair(runtime, "tight", beyond_breaker=True)
            await runtime.executor(lambda _: None).work(healing)
            # Beyond its own breaker.
            await app.run("UPDATE plain SET state = 'wrong'")
            assert (await mend(runtime, "tight", beyond_breaker=True)).run.inserted == 9
            assert (await plan_repair(runtime, "one"))[1] is None


async def test_what_is_switched_during_a_run_holds_it_and_it_goes_on(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        pace = {"pace": {"max_batch": 2}}
        async with make_runtime(app_database_url, repairs=[MEND], healing=pace) as runtime:
            tools, run = await plan_repair(runtime, "one")
            assert run is not None
            await app.run(
                "UPDATE conservator.control SET breaker_open = TRUE, breaker_reason = 'x'"
            )
            held = (await tools.executor(lambda _: None).work(run)).run
            assert (held.state, held.inserted) == (RunState.HELD, 0)
            await app.run("UPDATE conservator.control SET breaker_open = FALSE")
            claimed = await tools.resume(held.id)
            assert claimed is not None
            await app.run("UPDATE plain SET state = 'fine' WHERE id = 1")
            done = (await tools.executor(lambda _: None).work(claimed)).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 8)
            assert "1 were mended or changed by others meanwhile" in done.outcome


async def test_a_run_of_a_repair_that_is_configured_otherwise_is_ended(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=[MEND]) as runtime:
            _, run = await plan_repair(runtime, "one")
            assert run is not None
            await app.run("UPDATE conservator.run SET state = 'held'")
        other = {**MEND, "find": f"{MEND['find']} AND id < 5"}
        async with make_runtime(app_database_url, repairs=[other]) as runtime:
            await runtime.end_others()
            assert await app.rows("SELECT state, outcome FROM conservator.run") == [
                (
                    "partial",
                    "Ended where it stood: it was planned under other settings"
                    " (repairs.one.find); what is missing now is planned anew.",
                )
            ]
            assert await app.value("SELECT count(*) FROM conservator.repair_work") == 0
            assert (await mend(runtime, "one")).run.inserted == 4


async def test_other_columns_hold_a_run_and_end_it(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=[MEND]) as runtime:
            tools, run = await plan_repair(runtime, "one")
            assert run is not None
            await app.run("ALTER TABLE plain ADD COLUMN more text DEFAULT 'x'")
            held = (await tools.executor(lambda _: None).work(run)).run
            assert (held.state, held.inserted) == (RunState.HELD, 0)
            assert "columns of plain are others" in held.outcome
            assert await app.value("SELECT count(*) FROM plain WHERE state = 'wrong'") == 9


async def test_what_costs_too_much_to_ask_again_is_frozen(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By EXPLAIN: a window function over the whole table can't be kept to a batch's keys."""
    window = configured(
        "later",
        table="big",
        find="SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY pair ORDER BY id) AS n"
        " FROM big) AS x WHERE n > 1",
        **DELETE,
    )
    earlier = {
        **window,
        "name": "again",
        "find": "SELECT b.id FROM big b WHERE EXISTS"
        " (SELECT 1 FROM big e WHERE e.pair = b.pair AND e.id < b.id)",
    }
    async with app_on(app_database_url) as app:
        await app.run(
            "CREATE TABLE big (id int PRIMARY KEY, pair int, filler text DEFAULT repeat('x', 100));"
            "INSERT INTO big SELECT n, n / 2 FROM generate_series(1, 60000) AS n;"
            "CREATE INDEX ON big (pair); ANALYZE big"
        )
        monkeypatch.setattr(repair_planner, "CHEAP", 0.0)
        monkeypatch.setattr(repair_planner, "START", 10)
        async with make_runtime(app_database_url, repairs=[window, earlier]) as runtime:
            assert not (await previewed(runtime, "later")).asks_again
            found = await previewed(runtime, "again")
            assert (found.asks_again, found.named) == (True, 29_999)
            assert (await mend(runtime, "later", max_rows=100)).run.inserted == 100


async def test_healing_goes_on_beside_configured_repairs(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        await app.plant(users=3, artworks=4)
        async with make_runtime(app_database_url, repairs=[MEND]) as runtime:
            assert (await heal(runtime)).run.state is RunState.SUCCEEDED
