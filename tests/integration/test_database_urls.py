"""What a database URL says holds for every connection: the pool's, and the suites' worker's."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from checks.judgement import Outcome
from monitor.checking.expectations.worker import WorkerPool, validate
from monitor.config import ExpectationsCheck
from monitor.config.checks import Expectation
from monitor.config.database_url import parse_database_url
from monitor.database import create_engine
from tests.support.commands import on_one_server
from tests.support.extras import require_expectations

pytestmark = on_one_server
NOT_HERE = "/no/such/folder"
FORMS = {
    "several hosts": "postgresql://postgres@{away},{here}/{db}?target_session_attrs=primary",
    "hosts and ports as options": "postgres:///{db}?host={away},{here}&port=5432,5432&user=postgres",
    "one port for all": "postgresql+psycopg://postgres:p%24%25w@{here}:5432,{away}/{db}\n",
    "search path": "postgresql://postgres@{here}/{db}?options=-csearch_path%3Dpg_catalog,art",
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_url_of_any_form_leads_to_the_database(
    app_database_url: str, suites_worker: WorkerPool, form: str
) -> None:
    require_expectations()
    known = make_url(app_database_url)
    url = parse_database_url(
        FORMS[form].format(
            here=quote(str(known.query["host"]), safe=""),
            away=quote(NOT_HERE, safe=""),
            db=known.database,
        )
    ).get_secret_value()
    engine = create_engine(url, pool_size=1)
    async with engine.connect() as connection:
        row = (
            await connection.exec_driver_sql(
                "SELECT current_database(), current_user, current_setting('application_name')"
            )
        ).one()
    await engine.dispose()
    assert tuple(row) == (known.database, "postgres", "conservator")
    # A system's table: the search path of one form does not have the app's.
    filled = Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "datname"})
    suite = ExpectationsCheck(name="own", table="pg_catalog.pg_database", expectations=(filled,))
    done = await suites_worker.run(validate, url, 30_000, suite, deadline_seconds=60.0)
    assert [one.outcome for one in done.results] == [Outcome.PASS] * 2


async def test_what_the_url_says_of_a_connection_goes_before_ours(app_database_url: str) -> None:
    engine = create_engine(f"{app_database_url}&application_name=art", pool_size=1)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT current_setting('application_name')")
        assert found.scalar_one() == "art"
    await engine.dispose()
