"""Runs suites with Great Expectations; imported by the worker alone."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pydantic.v1
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    expectationSuiteValidationResultSchema,
)
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
)
from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import (
    get_expectation_impl,
    list_registered_expectation_implementations,
)
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
from psycopg import sql
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect
from sqlalchemy.exc import NoSuchTableError

from checks import row_security
from checks.catalogue import parse_name
from checks.judgement import MAX_EVIDENCE
from checks.pipeline import OneStatementCursor
from monitor.checking.expectations.redaction import redacted
from monitor.checking.expectations.results import NUMBER, Validated, check_results
from monitor.config import ConfigError, ExpectationsCheck
from monitor.config.checks import Expectation as Expected
from monitor.config.database_url import DRIVER
from monitor.database import connecting, pinning

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_ENDLESS = {"idle_in_transaction_session_timeout": "0"}
"""A connection says nothing while the library reckons; the whole suite has a deadline."""


def find_faults(checks: Sequence[ExpectationsCheck]) -> Iterator[ConfigError]:
    """Look every type up and try its arguments; touches no database."""
    for place, check in enumerate(checks):
        for number, one in enumerate(check.expectations):
            for path, problem in _faults(one).items():
                sentence = problem.rstrip(".")
                if not sentence.endswith("?"):
                    sentence += "."
                where = f"checks.expectations[{place}].expectations[{number}].{path}"
                yield ConfigError(where, sentence)


def _faults(one: Expected) -> dict[str, str]:
    """Problems by the path of what has them."""
    try:
        _expectation(one)
    except ExpectationNotFoundError:
        near = difflib.get_close_matches(one.type, list_registered_expectation_implementations(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return {"type": f"Great Expectations has no expectation of this name{hint}"}
    except pydantic.v1.ValidationError as error:
        found: dict[str, str] = {}
        for fault in error.errors():
            path = ".".join(str(part) for part in fault["loc"] if part != "__root__")
            found.setdefault(f"kwargs.{path}" if path else "kwargs", str(fault["msg"]))
        return found
    except Exception as error:  # Whatever its own checks of its arguments raise.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"kwargs": lines[0]}
    return {}


def _expectation(one: Expected) -> Expectation:
    # As in Great Expectations' own suites, which are JSON: a date is text.
    kwargs = json.loads(json.dumps(dict(one.kwargs), default=str))
    if isinstance(kwargs.get("row_condition"), str):
        # Without a parser a text is taken for pandas', which no database understands.
        kwargs.setdefault("condition_parser", "great_expectations")
    made: Expectation = get_expectation_impl(one.type)(**kwargs)
    return made


def validate(url: str, timeout_ms: int, check: ExpectationsCheck) -> Validated:
    """Run a suite over its table: read-only, every statement with a deadline."""
    started = time.perf_counter()
    table = _Table(connecting(url), *parse_name(check.table))
    with _snapshot(table, timeout_ms) as snapshot, _bounded(table, snapshot, timeout_ms):
        document = redacted(_run(table, check).to_json_dict())
    results = check_results(check, document, seconds=time.perf_counter() - started)
    return Validated(results, json.dumps(document, default=str, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class _Table:
    """What a suite is about. `schema` is None where the search path finds the table."""

    parameters: Mapping[str, Any]
    """Of a connection."""
    schema: str | None
    name: str

    def engine(self) -> Engine:
        """Of connections that end when they are given back."""
        return create_engine(DRIVER, poolclass=NullPool, connect_args=dict(self.parameters))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What every statement of a suite sees."""

    name: str
    row_security: str
    """off, unless policies show every row of the table to the role."""


@contextmanager
def _snapshot(table: _Table, timeout_ms: int) -> Iterator[_Snapshot]:
    """A snapshot that every statement of the suite sees. Raises StatementError where row security
    may hide rows of the table.

    Great Expectations counts in several transactions: of a table that grows meanwhile it would
    compare counts that never belonged together, and refuse its own result.
    """
    engine = table.engine()
    with engine.connect() as connection:
        connection.exec_driver_sql(_BEGIN)
        _pin(connection, {"statement_timeout": f"{timeout_ms}ms"})
        name: str = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        yield _Snapshot(name, "on" if _is_open_by_policies(connection, table) else "off")


def _pin(connection: Connection, settings: Mapping[str, str]) -> None:
    """As every transaction of the service begins, whatever role, database or server say."""
    pinned = pinning({**_ENDLESS, **settings})
    connection.exec_driver_sql(pinned.text, dict(pinned.values or {}))


def _is_open_by_policies(connection: Connection, table: _Table) -> bool:
    parts = (table.name,) if table.schema is None else (table.schema, table.name)
    quoted = sql.Identifier(*parts).as_string(None)
    oid = connection.exec_driver_sql(
        "SELECT to_regclass(%(name)s)::oid::bigint", {"name": quoted}
    ).scalar_one()
    rows = connection.exec_driver_sql(row_security.STATEMENT, row_security.asked([oid]))
    found = row_security.found_in(rows.mappings())
    row_security.refuse_hidden(found)
    return bool(found)


def _one_statement(driver: Any, _: object) -> None:
    """What a suite says in SQL can't end its transaction and go on."""
    driver.cursor_factory = OneStatementCursor


@contextmanager
def _bounded(table: _Table, snapshot: _Snapshot, timeout_ms: int) -> Iterator[None]:
    """Whatever begins a transaction reads the snapshot, with a deadline for each statement."""
    engines: list[Engine] = []

    def begin(connection: Connection) -> None:
        engines.append(connection.engine)
        connection.exec_driver_sql(_BEGIN)
        connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot.name}'")
        settings = {
            "statement_timeout": f"{timeout_ms}ms",
            "lock_timeout": "5s",
            "row_security": snapshot.row_security,
        }
        _pin(connection, settings)
        if table.schema is not None:
            connection.exec_driver_sql(
                "SELECT set_config('search_path', concat_ws(', ', quote_ident(%(schema)s),"
                " nullif(current_setting('search_path'), '')), true)",
                {"schema": table.schema},
            )

    # Great Expectations makes several engines of its own; each of them is to be bounded.
    event.listen(Engine, "connect", _one_statement)
    event.listen(Engine, "begin", begin)
    try:
        yield
    finally:
        event.remove(Engine, "begin", begin)
        event.remove(Engine, "connect", _one_statement)
        for engine in engines:
            engine.dispose()


def _run(table: _Table, check: ExpectationsCheck) -> ExpectationSuiteValidationResult:
    # Nothing is kept, and nothing rendered: by default it asks for a temporary folder.
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        "database",
        connection_string=DRIVER,
        create_temp_table=False,
        kwargs={"connect_args": table.parameters},
    )
    batch = _batch(source, table, check.name)
    suite = gx.ExpectationSuite(check.name)
    for number, one in enumerate(check.expectations):
        made = _expectation(one)
        made.meta = {NUMBER: number}
        suite.expectations.append(made)
    # Not as a validation definition: that one also stores the result as JSON, and breaks on values
    # of NumPy.
    result: ExpectationSuiteValidationResult = batch.get_batch().validate(
        suite,
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": MAX_EVIDENCE,
            "unexpected_index_column_names": _primary_key(table),
            "return_unexpected_index_query": False,
        },
    )
    return result


def _batch(source: Any, table: _Table, suite: str) -> BatchDefinition:
    if _PLAIN.fullmatch(table.name):
        asset = source.add_table_asset(suite, table_name=table.name)
    else:
        # Quoted names don't survive Great Expectations' own handling; a query carries them.
        name = '"' + table.name.replace('"', '""') + '"'
        asset = source.add_query_asset(suite, query=f"SELECT * FROM {name}")  # noqa: S608
    made: BatchDefinition = asset.add_batch_definition_whole_table("all")
    return made


def _primary_key(table: _Table) -> list[str]:
    engine = table.engine()
    try:
        found = inspect(engine).get_pk_constraint(table.name, schema=table.schema)
    except NoSuchTableError as error:
        raise LookupError(f"There is no table {table.name} that this role can see.") from error
    return list(found["constrained_columns"])


def render(document: Mapping[str, Any]) -> str:
    """Great Expectations' own report of a validation, as HTML."""
    result = expectationSuiteValidationResultSchema.load(dict(document))
    page: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))
    return page
