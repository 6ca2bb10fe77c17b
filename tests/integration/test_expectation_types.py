"""Types of Great Expectations' own gallery, from the text of config.yaml to results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping

import psycopg
import pytest

from checks.judgement import Measurement, Outcome
from monitor.checking.expectations.check import require_known_expectations
from monitor.checking.expectations.results import expectation_names
from monitor.checking.expectations.worker import WorkerPool
from monitor.config import Settings, parse_config
from monitor.database import create_engine
from monitor.runtime import CurrentRuntime
from tests.support.app import conninfo
from tests.support.check_registry import registry_of
from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.expectation_cases import CASES, TABLES, Case
from tests.support.extras import require_expectations
from tests.support.postgres import PostgresServer

require_expectations()
pytestmark = on_one_server

Results = Mapping[str, Measurement]


def config(url: str, *suites: Mapping[str, object]) -> Settings:
    """What the text of a config.yaml says; JSON is YAML."""
    document = {"database": {"url": url}, "checks": {"expectations": list(suites)}}
    return parse_config(json.dumps(document), {}, source="config.yaml", base_dir=None)


async def results_of(settings: Settings, worker: WorkerPool) -> Results:
    """Every suite once, as `check` runs it."""
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        await require_known_expectations(settings, worker)
        found: dict[str, Measurement] = {}
        registry = registry_of(settings, engine, worker, CurrentRuntime())
        for suite in settings.checks.expectations:
            check = registry.checks[suite.name].definition
            ran = await registry.runner.run(check, None)
            found |= dict(zip(check.rows, ran, strict=True))
        return found
    finally:
        await engine.dispose()


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    with cloned(server, EMPTY) as made:
        with psycopg.connect(conninfo(made), autocommit=True) as connection:
            connection.execute(TABLES.encode())
        yield made


@pytest.fixture(scope="module")
def judged(url: str, suites_worker: WorkerPool) -> tuple[list[Measurement], list[Measurement]]:
    """Every case once met and once unmet, in two suites."""
    met = {
        "name": "met",
        "table": "items",
        "expectations": [{"type": case.type, "kwargs": case.met} for case in CASES],
    }
    unmet = {
        "name": "unmet",
        "table": "items",
        "expectations": [{"type": case.type, "kwargs": case.unmet} for case in CASES],
    }
    settings = config(url, met, unmet)
    results = asyncio.run(results_of(settings, suites_worker))
    first, second = (
        [results[name] for name in expectation_names(suite)]
        for suite in settings.checks.expectations
    )
    return first, second


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_a_type_passes_where_it_is_met_and_fails_where_it_is_not(
    judged: tuple[list[Measurement], list[Measurement]], number: int
) -> None:
    case: Case = CASES[number]
    met, unmet = judged[0][number], judged[1][number]
    assert met.outcome is Outcome.PASS, met.message
    assert unmet.outcome is Outcome.FAIL, unmet.message
    assert unmet.value == case.measured
    ids = sorted(int(str(row["id"])) for row in unmet.evidence)
    assert ids == sorted(case.broken)
    assert all(set(row) == {"id"} for row in unmet.evidence)
    assert "hidden" not in unmet.message


def test_severity_decides_what_an_unmet_expectation_is(url: str, suites_worker: WorkerPool) -> None:
    def too_high(severity: str) -> dict[str, object]:
        kwargs = {"column": "n", "max_value": 15}
        type_ = "expect_column_values_to_be_between"
        return {"type": type_, "kwargs": kwargs, "severity": severity}

    def suite(name: str, *severities: str) -> dict[str, object]:
        return {"name": name, "table": "items", "expectations": [*map(too_high, severities)]}

    settings = config(
        url,
        suite("all", "critical", "warning", "info"),
        suite("mild", "warning", "info"),
        suite("noted", "info"),
    )
    results = asyncio.run(results_of(settings, suites_worker))
    part = "all.column_values_to_be_between.n"
    assert [results[name].outcome for name in (part, f"{part}.2", f"{part}.3")] == [
        Outcome.FAIL,
        Outcome.WARN,
        Outcome.PASS,
    ]
    suites = {name: results[name] for name in ("all", "mild", "noted")}
    assert {name: one.outcome for name, one in suites.items()} == {
        "all": Outcome.FAIL,
        "mild": Outcome.WARN,
        "noted": Outcome.PASS,
    }
    values = [one.value for one in suites.values()]
    assert values == [2, 1, 0]
    noted = results["noted.column_values_to_be_between.n"]
    assert noted.message == "5 rows are not as expected (noted only)."


def test_a_qualified_and_quoted_table_sees_the_other_tables_too(
    url: str, suites_worker: WorkerPool
) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(
            b'CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."My Items" AS TABLE items;'
            b'ALTER TABLE "Odd"."My Items" ADD PRIMARY KEY (id)'
        )
    query = "SELECT n FROM {batch} WHERE n IN (SELECT n FROM fewer)"
    suite = {
        "name": "odd",
        "table": '"Odd"."My Items"',
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "n", "max_value": 15, "row_condition": 'col("kind") == "x"'},
            },
            {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}},
        ],
    }
    results = asyncio.run(results_of(config(url, suite), suites_worker))
    between = results["odd.column_values_to_be_between.n"]
    rows = results["odd.unexpected_rows_expectation"]
    assert between.evidence == ({"id": "16"}, {"id": "20"})
    assert (rows.value, rows.message) == (7, "7 rows are not as expected.")


def test_a_table_that_is_not_there_is_an_error_of_the_suite_and_its_rows(
    url: str, suites_worker: WorkerPool
) -> None:
    one = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}
    suite = {"name": "gone", "table": "nowhere", "expectations": [one]}
    results = asyncio.run(results_of(config(url, suite), suites_worker))
    assert {name: found.outcome for name, found in results.items()} == {
        "gone": Outcome.ERROR,
        "gone.table_row_count_to_equal": Outcome.ERROR,
    }
    assert "nowhere" in results["gone"].message
