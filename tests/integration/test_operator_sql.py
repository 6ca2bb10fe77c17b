"""Whatever SQL an operator writes into the configuration: it is one statement, and it reads. What
stands behind a semicolon is never carried out, wherever the text is looked at or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.checking.expectations.worker import WorkerPool, validate
from monitor.checking.once import check_once
from monitor.config import ExpectationsCheck, InvalidConfigError, Settings
from monitor.config.checks import Expectation
from monitor.database import create_engine, transaction
from monitor.healing.throttle.signals import read_condition
from monitor.run_tools import grants_of_repairs, repair_faults, tools_to_repair
from monitor.runtime import Runtime, build, inspect_catalogue
from monitor.service.startup import ensure_schema
from monitor.state.runs import Trigger
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.extras import require_expectations
from tests.support.generated import examples
from tests.support.healing import make_settings
from tests.support.repairing import configured

pytestmark = on_one_server

PATIENCE = timedelta(seconds=30)
WITNESS = """
CREATE TABLE witness AS SELECT 1 AS id;
CREATE VIEW listed AS SELECT user_id, artwork_id, viewed_at AS at FROM user_art_impressions;
"""
Configuration = Callable[[str], dict[str, Any]]


def catalogue(role: str, **keys: object) -> dict[str, Any]:
    """A configuration with these settings of one table."""
    return {"catalog": {role: keys}}


def through(**keys: object) -> dict[str, Any]:
    """A configuration with a list of pairs."""
    return catalogue("pairs", through={"table": "listed", **keys})


def repairing(find: str) -> dict[str, Any]:
    """A configuration with one repair."""
    return {"repairs": [configured("any", table="witness", key="id", find=find, action="delete")]}


SETTINGS: Mapping[str, tuple[str, Configuration]] = {
    "artworks.where": ("id <> ''", lambda t: catalogue("artworks", where=t)),
    "artworks.created_at": ("created_at", lambda t: catalogue("artworks", created_at={"sql": t})),
    "users.where": ("is_active", lambda t: catalogue("users", where=t)),
    "users.created_at": ("created_at", lambda t: catalogue("users", created_at={"sql": t})),
    "impressions.where": ("version > 0", lambda t: catalogue("impressions", where=t)),
    "impressions.counts": ("version > 0", lambda t: catalogue("impressions", counts=t)),
    "impressions.viewed_at": (
        "viewed_at",
        lambda t: catalogue("impressions", viewed_at={"sql": t}),
    ),
    "impressions.set": (
        "1",
        lambda t: catalogue("impressions", counts="version > 0", set={"version": t}),
    ),
    "impressions.defaults": ("1", lambda t: catalogue("impressions", defaults={"version": t})),
    "pairs.through.where": ("at IS NOT NULL", lambda t: through(where=t)),
    "pairs.through.since": ("at", lambda t: through(since={"sql": t})),
    "checks.sql": ("SELECT 1", lambda t: {"checks": {"sql": [{"name": "own", "query": t}]}}),
    "wait_while": ("SELECT false", lambda t: {"healing": {"pace": {"wait_while": t}}}),
    "find": ("SELECT 1 AS id WHERE false", repairing),
}
"""Every setting that takes SQL: what is fine there, and the configuration with another text."""
DESTRUCTION = "COMMIT; DELETE FROM witness; COMMIT; "
HARMFUL = st.tuples(
    st.sampled_from(sorted(SETTINGS)),
    st.sampled_from(["", ")", "))", "\n) AS f", ") IS NOT NULL", " LIMIT 0", " --\n"]),
    st.sampled_from(["; ", ";", " ;\n", "; ROLLBACK; BEGIN; "]),
    st.sampled_from(["SELECT 1", "SELECT (1", "SELECT ((1", "SELECT * FROM (SELECT 1", "--", "/*"]),
)


@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_parameter_which_would_take_a_value_of_ours_is_refused_by_its_path(
    app_database_url: str, setting: str
) -> None:
    fine, configuration = SETTINGS[setting]
    for text in (f"{fine} = $1", f"($2::text || 'a''$3') || {fine}", f"$a$b$a$||$10||{fine}"):
        with pytest.raises(InvalidConfigError, match=r"parameter \$") as refused:
            make_settings(app_database_url, **configuration(text))
        (mistake,) = refused.value.errors
        assert mistake.path.rpartition(".")[2] in {*setting.split("."), "query", "sql", "version"}
    for text in (
        f"{fine} || '$1'",
        f"{fine} -- $1",
        f"{fine} || $$ $1 $$",
        f'{fine} || "a$1" || b$1',
    ):
        make_settings(app_database_url, **configuration(text))


def harmful(fine: str, close: str, end: str, rest: str) -> str:
    """Something fine, the brackets around it closed, destruction, and what makes the rest fit."""
    return f"{fine}{close}{end}{DESTRUCTION}{rest}"


async def use(engine: AsyncEngine, settings: Settings) -> list[str]:
    """Everything that the service and its commands do with these texts, each in spite of what the
    one before has said; what was said."""
    told: list[str] = []

    async def attempt(step: Any) -> Any:
        try:
            return await step
        except (ConservatorError, DBAPIError) as error:
            told.append(str(error))

    found = await attempt(inspect_catalogue(engine, settings))
    await attempt(grants_of_repairs(engine, settings))
    await attempt(read_condition(engine, settings.healing.pace.wait_while, timeout=PATIENCE))
    names = [one.name for one in settings.checks.sql] or ["census"]
    board = await attempt(check_once(engine, settings, names))
    if board is not None:
        told += [one.message for one in board.current.checks.values()]
    if found is not None:
        told += [one.problem for one in found.findings]
        if found.catalogue is not None:
            # Although doctor forbids it.
            await _work(build(engine, settings, found, found.catalogue), attempt)
    return told


async def _work(runtime: Runtime, attempt: Callable[[Any], Any]) -> None:
    await attempt(ensure_schema(runtime.engine, runtime.state))
    owner = runtime.run_owner(Trigger.COMMAND)
    await attempt(
        runtime.planner.plan_audience(
            owner, reason="a test", max_rows=10, guard=lambda _census, _control: None
        )
    )
    await attempt(runtime.end_others())
    for repair in runtime.settings.repairs:
        await attempt(tools_to_repair(runtime, repair))
    await attempt(repair_faults(runtime))
    with suppress(ConservatorError):
        async with transaction(runtime.engine, timeout=PATIENCE) as connection:
            await connection.exec_driver_sql("DELETE FROM conservator.run")


@examples(40)
@given(chosen=HARMFUL)
async def test_no_second_statement_is_carried_out(
    app_database_url: str, chosen: tuple[str, str, str, str]
) -> None:
    setting, close, end, rest = chosen
    fine, configuration = SETTINGS[setting]
    async with app_on(app_database_url) as app:
        await app.run("DROP VIEW IF EXISTS listed; DROP TABLE IF EXISTS witness;" + WITNESS)
        with suppress(InvalidConfigError):
            text = harmful(fine, close, end, rest)
            settings = make_settings(app_database_url, **configuration(text))
            engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
            try:
                assert await use(engine, settings)
            finally:
                await engine.dispose()
        assert await app.value("SELECT count(*) FROM witness") == 1


async def test_the_statements_of_fine_settings_are_carried_out(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(WITNESS)
        await app.plant(users=3, artworks=2)
        for fine, configuration in SETTINGS.values():
            settings = make_settings(app_database_url, **configuration(fine))
            engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
            try:
                told = " ".join(await use(engine, settings))
            finally:
                await engine.dispose()
            assert "42601" not in told and "one SELECT" not in told, told


async def test_a_connection_of_ours_takes_one_statement_whatever_it_is(database_url: str) -> None:
    engine = create_engine(database_url, pool_size=1)
    try:
        for text in ("SELECT 1; SELECT 2", "PREPARE p AS SELECT 1; SELECT 2", "COMMIT; SELECT 1"):
            async with engine.connect() as connection:
                with pytest.raises(DBAPIError, match="cannot insert multiple commands"):
                    await connection.exec_driver_sql(text)
    finally:
        await engine.dispose()


SUITE = [
    "SELECT 1 FROM {batch}; " + DESTRUCTION + "SELECT 1",
    "SELECT 1 FROM {batch}) AS f; " + DESTRUCTION + "SELECT * FROM (SELECT 1",
    "SELECT 1 WHERE false; " + DESTRUCTION,
]


async def test_a_query_of_a_suite_is_one_statement(
    app_database_url: str, suites_worker: WorkerPool
) -> None:
    require_expectations()
    suite = ExpectationsCheck(
        name="suite",
        table="witness",
        expectations=tuple(
            Expectation(type="unexpected_rows_expectation", kwargs={"unexpected_rows_query": query})
            for query in SUITE
        ),
    )
    async with app_on(app_database_url) as app:
        await app.run(WITNESS)
        await suites_worker.run(validate, app_database_url, 5_000, suite, deadline_seconds=60.0)
        assert await app.value("SELECT count(*) FROM witness") == 1
