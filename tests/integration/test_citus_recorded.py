"""A cluster as a real one described itself: how layouts are read, judged, moved to, worked on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from checks.citus.cluster import Cluster, DistributionMethod, read_cluster, read_distribution
from checks.doctor.findings import Blocks, Examination
from checks.errors import CatalogueError, DatabaseUnavailableError
from checks.judgement import Outcome
from checks.relations import Engine
from checks.spec import Cutoffs
from exporters.http.health import not_ready_because
from monitor.checking.once import check_names, check_once
from monitor.database import create_engine, database_now, snapshot
from monitor.healing.errors import NotUndoableError
from monitor.healing.preview import preview_heal
from monitor.healing.quarantine import count_unwritable
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import Runtime, build, inspect_catalogue, inspect_rows, require_catalogue
from monitor.service.startup import ensure_schema
from monitor.state.runs import RunState, Trigger
from monitor.status import Status, StatusBoard
from tests.support.app import app_on
from tests.support.citus_grammar import faults
from tests.support.healing import heal, make_settings
from tests.support.proxy import Recorder
from tests.support.recorded_citus import make_cluster, metadata, recorded, run_on, silence
from tests.support.repairing import configured, mend, previewed, take_back, tools_of
from tests.support.servers import EMBEDDED
from tests.support.services import is_clean, service_on
from tests.support.undoing import MATCHING, undo
from tests.support.waiting import wait_until

# What is recorded is of one server.
pytestmark = [
    pytest.mark.parametrize("server", [EMBEDDED], indirect=True, ids=["embedded"]),
    pytest.mark.long,
]

IMPRESSIONS, USERS, ARTWORKS = "user_art_impressions", "users", "art_sessions"
LEDGER = "backfilled_impression"
GUIDE = Path(__file__).parents[2] / "docs" / "scaling.md"

NO_KEYS = (
    f"ALTER TABLE {IMPRESSIONS} DROP CONSTRAINT user_art_impressions_user_id_fkey",
    f"ALTER TABLE {IMPRESSIONS} DROP CONSTRAINT user_art_impressions_artwork_id_fkey",
)
EVERYWHERE = tuple(f"SELECT create_reference_table('{name}')" for name in (USERS, ARTWORKS))
KEYED = (
    f"ALTER TABLE {IMPRESSIONS} DROP CONSTRAINT user_art_impressions_pkey",
    f"ALTER TABLE {IMPRESSIONS} ADD PRIMARY KEY (user_id, id)",
)
BY_USER = (f"SELECT create_distributed_table('{IMPRESSIONS}', 'user_id')",)
SPREAD = (*KEYED, *BY_USER)
SHARDED = """
INSERT INTO pg_dist_partition
SELECT '{0}', 'h', replace(partkey, 'varattno ' || a.attnum, 'varattno ' || b.attnum), {1}, 's',
    false
FROM pg_dist_partition
JOIN pg_attribute AS a ON a.attrelid = logicalrelid AND a.attname = 'user_id'
JOIN pg_attribute AS b ON b.attrelid = '{0}'::regclass AND b.attname = 'id'
WHERE logicalrelid = 'user_art_impressions'::regclass
"""
WHOLE = "INSERT INTO pg_dist_partition VALUES ('{0}', 'n', NULL, {1}, 's', {2})"
LAYOUTS = {
    "reference": (*EVERYWHERE, *SPREAD),
    "plain": (*NO_KEYS, *SPREAD),
    "local": (
        *NO_KEYS,
        *SPREAD,
        *(WHOLE.format(name, 0, "false") for name in (USERS, ARTWORKS)),
    ),
    "colocated": (*NO_KEYS, *SPREAD, SHARDED.format(USERS, 2), EVERYWHERE[1]),
    "sharded elsewhere": (
        *NO_KEYS,
        *SPREAD,
        *(SHARDED.format(one, 8) for one in (USERS, ARTWORKS)),
    ),
    "one node": (*NO_KEYS, *SPREAD, *(WHOLE.format(one, 5, "false") for one in (USERS, ARTWORKS))),
}
"""The impressions by user, users and artworks otherwise."""


@asynccontextmanager
async def cluster_runtime(url: str, **config: object) -> AsyncIterator[Runtime]:
    """The tools as the owner has them, on what the database says of itself."""
    settings = make_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=5)
    try:
        examination = await inspect_catalogue(engine, settings)
        catalogue = require_catalogue(examination, Blocks.COUNTING)
        runtime = build(engine, settings, examination, catalogue)
        await ensure_schema(engine, runtime.state)
        yield runtime
    finally:
        await engine.dispose()


async def examined(url: str, **config: object) -> Examination:
    settings = make_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        return await inspect_catalogue(engine, settings)
    finally:
        await engine.dispose()


def codes(examination: Examination) -> list[str]:
    return [one.code for one in examination.findings if one.code.startswith("citus")]


CALLED = {
    "distributed": {DistributionMethod.HASH, DistributionMethod.SINGLE},
    "schema": {DistributionMethod.SINGLE},
    "reference": {DistributionMethod.REFERENCE},
    "local": {DistributionMethod.LOCAL},
}
"""By citus_tables.citus_table_type."""


async def test_every_recorded_table_is_read_as_the_cluster_itself_calls_it(
    database_url: str,
) -> None:
    rows = recorded("pg_dist_partition")
    tables = [f"CREATE TABLE {row['logicalrelid']} (user_id bigint)" for row in rows]
    make_cluster(database_url, "CREATE SCHEMA tenant_a", *tables, *metadata(rows))
    seen = {row["logicalrelid"]: row for row in recorded("catalogue_citus_table")}
    for name, row in seen.items():
        listed = row["citus_total_relation_size"]
        run_on(database_url, f"INSERT INTO recorded.size VALUES ('{name}', {listed})")
    called = {row["table_name"]: row for row in recorded("citus_tables")}
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        cluster = await read_cluster(connection)
        assert cluster == Cluster("13.2-1", 0)
        assert cluster.is_coordinator
        for name, row in seen.items():
            oid = await connection.exec_driver_sql(f"SELECT '{name}'::regclass::oid::bigint")
            found = await read_distribution(connection, cluster, oid.scalar_one())
            assert found is not None
            distribution, size = found
            assert size == int(row["citus_total_relation_size"])
            assert (distribution.column or "") == row["distribution_column"]
            assert distribution.colocation == int(row["colocationid"])
            assert distribution.answers
            if name in called:
                assert distribution.method in CALLED[called[name]["citus_table_type"]]
                spread_by = called[name]["distribution_column"].replace("<none>", "")
                by_column = distribution.method is DistributionMethod.HASH
                assert by_column == bool(spread_by)
        # Those two are in no list of Citus's.
        assert seen.keys() - called.keys() == {"t_append", "t_range"}
    await engine.dispose()


async def test_a_worker_knows_the_tables_and_is_refused(app_database_url: str) -> None:
    make_cluster(app_database_url, *EVERYWHERE, *SPREAD, group=1)
    examination = await examined(app_database_url)
    assert [one.code for one in examination.blocking(Blocks.COUNTING)] == ["citus_worker"]
    # What it says of the tables is a part of what the coordinator says, without range and append.
    here = {row["logicalrelid"] for row in recorded("pg_dist_partition_of_a_worker")}
    there = {row["logicalrelid"] for row in recorded("pg_dist_partition")}
    assert there - here == {"t_append", "t_range"}


def statements_on(url: str, folder: Path) -> tuple[Recorder, str]:
    """A proxy that notes what is asked, and the URL that leads through it."""
    recorder = Recorder(Path(str(make_url(url).query["host"])))
    through = make_url(url).update_query_dict({"host": str(folder)})
    return recorder, through.render_as_string(hide_password=False)


def refused(texts: Sequence[str], *more: str) -> dict[str, set[str]]:
    """The statements that Citus would refuse, each with why."""
    spread, others = {IMPRESSIONS, LEDGER}, {USERS, ARTWORKS, *more}
    judged = {text: faults(text, spread=spread, others=others) for text in texts if text}
    return {text[:300]: kinds for text, kinds in judged.items() if kinds}


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_every_layout_is_examined_and_healed_by_statements_that_citus_takes(
    app_database_url: str, tmp_path: Path, layout: str
) -> None:
    recorder, through = statements_on(app_database_url, tmp_path)
    async with app_on(app_database_url) as app, recorder.at(tmp_path):
        await app.plant(users=3, artworks=4)
        make_cluster(app_database_url, *LAYOUTS[layout])
        async with cluster_runtime(through) as runtime:
            assert codes(runtime.examination)[-1] == "citus_approximate"
            assert not runtime.examination.blocking()
            assert runtime.catalogue.engine is Engine.CITUS
            assert (await heal(runtime)).run.state is RunState.SUCCEEDED
    assert refused(list(recorder.texts)) == {}


async def test_every_statement_of_a_service_is_one_that_citus_takes(
    app_database_url: str, tmp_path: Path
) -> None:
    recorder, through = statements_on(app_database_url, tmp_path)
    async with app_on(app_database_url) as app, recorder.at(tmp_path):
        await app.plant(users=6, artworks=12)
        make_cluster(app_database_url, *LAYOUTS["reference"])
        async with cluster_runtime(through) as runtime:
            board = await check_once(
                runtime.engine, runtime.settings, check_names(runtime.settings)
            )
            assert _errors(board) == []
        async with service_on(through) as service:
            await wait_until(lambda: is_clean(service))
            assert (await service.commands.user_census("u0001")) is not None
            await service.commands.backfill_user("u0007", force=True)
        async with cluster_runtime(through) as runtime:
            assert (await undo(runtime, 1)).run.state is RunState.SUCCEEDED
            # Of the seventh user's run.
            await app.run(f"DELETE FROM {IMPRESSIONS} WHERE artwork_id = 'old0001'")
            await forget_erased(runtime, agree)
            assert await sweep_ledger(runtime, agree) == 1
    assert len(recorder.texts) > 150
    assert refused(list(recorder.texts)) == {}


async def agree(_: AsyncConnection) -> None:
    """Leads."""


def _errors(board: StatusBoard) -> list[str]:
    return [one.message for one in board.current.checks.values() if one.outcome is Outcome.ERROR]


_LISTED = {"table": "visible_artworks", "user": "user_id", "artwork": "artwork_id"}
CATALOGS: Mapping[str, tuple[dict[str, Any], str | None]] = {
    "where": ({"impressions": {"where": "version = 1"}}, "citus_rows_of_any_shape"),
    "counts": ({"impressions": {"counts": "version = 1"}}, "citus_rows_of_any_shape"),
    "set": (
        {"impressions": {"counts": "version = 1", "set": {"version": "1"}}},
        "citus_rows_of_any_shape",
    ),
    "several": ({"impressions": {"several": True}}, "citus_rows_of_any_shape"),
    "no time": ({"impressions": {"viewed_at": None}}, "citus_rows_of_any_shape"),
    "a moment by SQL": (
        {"impressions": {"viewed_at": {"sql": "coalesce(bridge_at, viewed_at)"}}},
        "citus_rows_of_any_shape",
    ),
    "values from the pair": (
        {"impressions": {"defaults": {"version": "coalesce(artwork.version, 1)"}}},
        "citus_values_of_the_pair",
    ),
    "same": ({"pairs": {"same": [{"user": "subscription_tier", "artwork": "pool_status"}]}}, None),
    "through": ({"pairs": {"through": _LISTED}}, None),
    "owner": ({"artworks": {"owner": "user_id"}}, None),
    "ages": ({"users": {"created_at": "created_at"}}, None),
    "all of a pair": (
        {
            "users": {"created_at": "created_at", "where": "is_active"},
            "artworks": {"where": "version > 0"},
            "pairs": {
                "same": [{"user": "subscription_tier", "artwork": "pool_status"}],
                "through": {**_LISTED, "since": "since"},
            },
        },
        None,
    ),
}
"""What the catalogue may say, and why Citus heals nothing of it."""


@pytest.mark.parametrize("name", CATALOGS)
async def test_whatever_the_catalogue_says_is_asked_in_forms_that_citus_takes_or_refused(
    app_database_url: str, tmp_path: Path, name: str
) -> None:
    catalog, refusal = CATALOGS[name]
    recorder, through = statements_on(app_database_url, tmp_path)
    async with app_on(app_database_url) as app, recorder.at(tmp_path):
        await app.plant(users=6, artworks=12)
        await app.run(
            "CREATE TABLE visible_artworks"
            " (user_id varchar, artwork_id varchar, since timestamptz);"
            "INSERT INTO visible_artworks SELECT u.id, a.id FROM users AS u, art_sessions AS a;"
            "UPDATE users SET subscription_tier = 'active', created_at = '2000-01-01';"
            "UPDATE art_sessions SET user_id = 'u0001';"
            "UPDATE user_art_impressions SET version = 2 WHERE artwork_id < 'seen0001'"
        )
        make_cluster(app_database_url, *LAYOUTS["reference"])
        config = {"catalog": catalog, "healing": {"breaker": {"max_share": "100%"}}}
        examination = await examined(through, **config)
        blocking = [one.code for one in examination.blocking() if one.code.startswith("citus")]
        assert blocking == ([] if refusal is None else [refusal])
        async with cluster_runtime(through, **config) as runtime:
            board = await check_once(
                runtime.engine, runtime.settings, check_names(runtime.settings)
            )
            assert _errors(board) == []
            async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
                cutoffs = Cutoffs.at(await database_now(connection), runtime.state.pools)
                await preview_heal(
                    connection,
                    runtime.healing,
                    cutoffs,
                    max_rows=100,
                    minimum=5,
                    verified_until=None,
                )
                await count_unwritable(connection, runtime.healing, cutoffs)
            if refusal is None:
                ended = await heal(runtime)
                assert ended.run.state is RunState.SUCCEEDED
                assert (await undo(runtime, ended.run.id)).run.state is RunState.SUCCEEDED
            elif refusal == "citus_rows_of_any_shape":
                with pytest.raises(NotUndoableError, match="in one table again"):
                    await runtime.undo_planner.plan(
                        runtime.run_owner(Trigger.COMMAND), 1, reason="a test"
                    )
    assert refused(list(recorder.texts), "visible_artworks") == {}


REPAIRS = {
    "spread": {
        "table": IMPRESSIONS,
        "find": "SELECT i.id FROM user_art_impressions AS i WHERE i.version = 9",
        "action": "delete",
    },
    "everywhere": {
        "table": USERS,
        "find": "SELECT id, true AS is_active FROM users WHERE NOT is_active",
        "action": "update",
    },
    "local": {
        "table": "notes",
        "find": "SELECT id, 'seen' AS text FROM notes WHERE text = 'new'",
        "action": "update",
    },
}


async def test_a_repair_is_refused_where_its_table_is_spread_and_takes_a_local_one(
    app_database_url: str, tmp_path: Path
) -> None:
    recorder, through = statements_on(app_database_url, tmp_path)
    config = {"repairs": [configured(name, **keys) for name, keys in REPAIRS.items()]}
    async with app_on(app_database_url) as app, recorder.at(tmp_path):
        await app.plant(users=6, artworks=12)
        await app.run("CREATE TABLE notes AS SELECT id, 'new' AS text FROM users")
        await app.run("ALTER TABLE notes ADD PRIMARY KEY (id)")
        make_cluster(app_database_url, *LAYOUTS["reference"])
        async with cluster_runtime(through, **config) as runtime:
            for name, table in (("spread", IMPRESSIONS), ("everywhere", USERS)):
                said = f"Repair {name}, table: {table} is spread by Citus, where no repair runs."
                with pytest.raises(CatalogueError, match=re.escape(said)):
                    await tools_of(runtime, name)
            assert (await previewed(runtime, "local")).named == 7
            ended = (await mend(runtime, "local")).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 7)
            taken = await take_back(runtime, ended.id)
            assert taken is not None and taken.run.state is RunState.SUCCEEDED
        assert await app.rows("SELECT DISTINCT text FROM notes") == [("new",)]
    assert refused(list(recorder.texts)) == {}


BY_ARTWORK = (
    *NO_KEYS,
    f"ALTER TABLE {IMPRESSIONS} DROP CONSTRAINT user_art_impressions_pkey",
    f"ALTER TABLE {IMPRESSIONS} ADD PRIMARY KEY (artwork_id, id)",
    f"SELECT create_distributed_table('{IMPRESSIONS}', 'artwork_id')",
)
STARTS = {
    "plain": ((), ["citus_key_without_user"]),
    "by artwork": (BY_ARTWORK, ["citus_not_by_user", "citus_key_without_user"]),
    "reference": (
        (*NO_KEYS, f"SELECT create_reference_table('{IMPRESSIONS}')"),
        ["citus_not_spread", "citus_key_without_user"],
    ),
    "made local by foreign keys": (EVERYWHERE, ["citus_not_spread", "citus_key_without_user"]),
}
"""How the impressions lie before the move, and what doctor says of Citus."""
TAKEN_BACK = {"by artwork", "reference"}


def guide() -> list[str]:
    """The statements of *The move*, in order."""
    text = GUIDE.read_text(encoding="utf-8")
    move = text[text.index("### The move") : text.index("### What is different there")]
    blocks = re.findall(r"```sql\n(.*?)```", move, re.DOTALL)
    return [one.strip() for block in blocks for one in block.split(";") if one.strip()]


@pytest.mark.parametrize("start", STARTS)
async def test_the_move_that_the_guide_tells_is_taken_statement_by_statement(
    app_database_url: str, start: str
) -> None:
    before, told = STARTS[start]
    make_cluster(app_database_url, *before)
    examination = await examined(app_database_url)
    assert codes(examination) == told
    for finding in examination.findings:
        lines = finding.statements.splitlines()
        assert refused([line for line in lines if not line.startswith("--")]) == {}
        if finding.code in ("citus_not_by_user", "citus_not_spread"):
            words = "taken back first" if start in TAKEN_BACK else "for a local table"
            assert words in finding.remedy
    take_back, *steps = guide()
    assert take_back.startswith("SELECT undistribute_table")
    wanted = [take_back, *steps] if start in TAKEN_BACK else steps
    known = [one for one in wanted if not (start.startswith("made") and "reference" in one)]
    assert refused(known) == {}
    run_on(app_database_url, *known)
    assert codes(await examined(app_database_url)) == ["citus_approximate"]


@pytest.mark.parametrize(
    ("before", "statement", "said"),
    [
        (EVERYWHERE, BY_USER[0], "cannot create constraint"),
        (EVERYWHERE, f"SELECT undistribute_table('{IMPRESSIONS}')", "has a foreign key"),
        (KEYED, BY_USER[0], "must be a distributed table or a reference table"),
    ],
)
async def test_the_recorded_cluster_refuses_what_the_real_one_did(
    app_database_url: str, before: tuple[str, ...], statement: str, said: str
) -> None:
    make_cluster(app_database_url, *before)
    with pytest.raises(psycopg.Error, match=said):
        run_on(app_database_url, statement)


async def test_a_node_that_does_not_answer_is_told_everywhere_and_seen_when_it_is_back(
    app_database_url: str,
) -> None:
    make_cluster(app_database_url, *LAYOUTS["reference"])
    async with app_on(app_database_url) as app:
        await app.plant(users=3, artworks=4)
        async with service_on(app_database_url, lease="1s") as service:
            await wait_until(lambda: is_clean(service))

            def status() -> Status:
                return service.board.current

            silence(app_database_url, IMPRESSIONS)
            await wait_until(lambda: not status().database_up)
            assert "A node of the cluster does not answer" in not_ready_because(status())[0]
            assert "database.url" not in (status().database_error or "")
            silence(app_database_url)
            await wait_until(lambda: status().ready)
        silence(app_database_url, IMPRESSIONS)
        examination = await examined(app_database_url)
        (finding,) = examination.blocking(Blocks.COUNTING)
        assert finding.code == "citus_node_lost"
        assert IMPRESSIONS in finding.problem
        settings = make_settings(app_database_url)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
        with pytest.raises(DatabaseUnavailableError, match="node of the cluster"):
            await inspect_rows(engine, settings)
        await engine.dispose()


async def test_a_ledger_that_is_spread_for_nothing_is_told_and_gathered(
    app_database_url: str,
) -> None:
    make_cluster(app_database_url, *LAYOUTS["reference"])
    spread = (
        "SELECT count(*) FROM pg_dist_partition"
        f" WHERE logicalrelid = 'conservator.{LEDGER}'::regclass"
    )
    async with app_on(app_database_url) as app:
        await app.plant(users=2, artworks=3)
        async with cluster_runtime(app_database_url) as runtime:
            assert await app.value(spread) == 1
            assert (await heal(runtime)).run.state is RunState.SUCCEEDED
        run_on(
            app_database_url,
            f"DELETE FROM pg_dist_partition WHERE logicalrelid = '{IMPRESSIONS}'::regclass",
        )
        examination = await examined(app_database_url)
        assert "citus_ledger_still_spread" in codes(examination)
        assert not examination.blocking()
        async with cluster_runtime(app_database_url) as runtime:
            assert await app.value(spread) == 0
            assert await app.value(MATCHING) == 6
            assert (await undo(runtime, 1)).run.inserted == 6
        assert "citus_ledger_still_spread" not in codes(await examined(app_database_url))
