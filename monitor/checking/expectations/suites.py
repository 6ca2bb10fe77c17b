"""Runs suites with Great Expectations; imported by the worker alone."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import great_expectations as gx
import pydantic.v1
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    expectationSuiteValidationResultSchema,
)
from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.registry import (
    get_expectation_impl,
    list_registered_expectation_implementations,
)
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect
from sqlalchemy.exc import NoSuchTableError

from monitor.checking.expectations.disclosure import SAMPLES, disclosed
from monitor.checking.expectations.messages import (
    ExpectationResult,
    ExpectationSpec,
    Fault,
    Judge,
    Judged,
    Render,
    Rendered,
    SuiteSpec,
    Validate,
    Validated,
)

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MAX_OBSERVED = 200
_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def judge(request: Judge) -> Judged:
    """Look every type up and try its arguments; touches no database."""
    return Judged(
        tuple(
            fault
            for suite in request.suites
            for number, one in enumerate(suite.expectations)
            for fault in _faults(suite.name, number, one)
        )
    )


def _faults(suite: str, number: int, spec: ExpectationSpec) -> list[Fault]:
    try:
        _expectation(spec)
    except ExpectationNotFoundError:
        near = difflib.get_close_matches(
            spec.type, list_registered_expectation_implementations(), 1
        )
        hint = f"; did you mean {near[0]}?" if near else ""
        return [
            Fault(
                suite, number, "type", f"Great Expectations has no expectation of this name{hint}"
            )
        ]
    except pydantic.v1.ValidationError as error:
        found: dict[str, str] = {}
        for one in error.errors():
            path = ".".join(str(part) for part in one["loc"] if part != "__root__")
            found.setdefault(f"kwargs.{path}" if path else "kwargs", str(one["msg"]))
        return [Fault(suite, number, path, problem) for path, problem in found.items()]
    except Exception as error:  # Whatever its own checks of its arguments raise.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return [Fault(suite, number, "kwargs", lines[0])]
    return []


def _expectation(spec: ExpectationSpec) -> Expectation:
    kwargs = dict(spec.kwargs)
    if isinstance(kwargs.get("row_condition"), str):
        # Without a parser a text is taken for pandas', which no database understands.
        kwargs.setdefault("condition_parser", "great_expectations")
    made: Expectation = get_expectation_impl(spec.type)(**kwargs)
    return made


def validate(request: Validate) -> Validated:
    """Run a suite over its table: read-only, every statement with a deadline."""
    started = time.perf_counter()
    with _snapshot(request) as snapshot:
        document = _within(request, snapshot)
    return Validated(_in_order(request.suite, document), time.perf_counter() - started, document)


@contextmanager
def _snapshot(request: Validate) -> Iterator[str]:
    """The name of a snapshot that every statement of the suite sees.

    Great Expectations counts in several transactions: of a table that grows meanwhile it would
    compare counts that never belonged together, and refuse its own result.
    """
    engine = create_engine(
        request.url,
        poolclass=NullPool,
        connect_args={"prepare_threshold": None, "application_name": "conservator"},
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(_BEGIN)
        # It says nothing until the suite is done.
        connection.exec_driver_sql(
            "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
        )
        name: str = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        yield name


def _within(request: Validate, snapshot: str) -> dict[str, Any]:
    """What the suite finds in the snapshot."""
    engines: list[Engine] = []

    def bounded(connection: Connection) -> None:
        engines.append(connection.engine)
        connection.exec_driver_sql(_BEGIN)
        connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        connection.exec_driver_sql(
            "SELECT set_config('statement_timeout', %(ms)s, true), set_config('jit', 'off', true)",
            {"ms": str(request.timeout_ms)},
        )
        if request.suite.schema is not None:
            connection.exec_driver_sql(
                "SELECT set_config('search_path', concat_ws(', ', quote_ident(%(schema)s),"
                " nullif(current_setting('search_path'), '')), true)",
                {"schema": request.suite.schema},
            )

    # Great Expectations makes several engines of its own; each of them is to be bounded.
    event.listen(Engine, "begin", bounded)
    try:
        return disclosed(_run(request).to_json_dict())
    finally:
        event.remove(Engine, "begin", bounded)
        for engine in engines:
            engine.dispose()


def _run(request: Validate) -> ExpectationSuiteValidationResult:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        "database",
        connection_string=request.url.replace("$", "\\$"),
        create_temp_table=False,
        kwargs={"connect_args": {"prepare_threshold": None, "application_name": "conservator"}},
    )
    batch = _batch(source, request.suite)
    suite = gx.ExpectationSuite(request.suite.name)
    for number, one in enumerate(request.suite.expectations):
        made = _expectation(one)
        # Results come back in another order; this tells them apart.
        made.meta = {"conservator_number": number}
        suite.expectations.append(made)
    # Not as a validation definition: that one also stores the result as JSON, and breaks on values
    # of NumPy.
    result: ExpectationSuiteValidationResult = batch.get_batch().validate(
        suite,
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": SAMPLES,
            "unexpected_index_column_names": _primary_key(request),
            "return_unexpected_index_query": False,
        },
    )
    return result


def _batch(source: Any, suite: SuiteSpec) -> BatchDefinition:
    if _PLAIN.fullmatch(suite.table):
        asset = source.add_table_asset(suite.name, table_name=suite.table)
    else:
        # Quoted names don't survive Great Expectations' own handling; a query carries them.
        name = '"' + suite.table.replace('"', '""') + '"'
        asset = source.add_query_asset(suite.name, query=f"SELECT * FROM {name}")  # noqa: S608
    made: BatchDefinition = asset.add_batch_definition_whole_table("all")
    return made


def _primary_key(request: Validate) -> list[str]:
    engine = create_engine(request.url, poolclass=NullPool)
    try:
        found = inspect(engine).get_pk_constraint(request.suite.table, schema=request.suite.schema)
    except NoSuchTableError as error:
        raise LookupError(
            f"There is no table {request.suite.table} that this role can see."
        ) from error
    return list(found["constrained_columns"])


def _in_order(suite: SuiteSpec, document: Mapping[str, Any]) -> tuple[ExpectationResult, ...]:
    found = {
        one["expectation_config"]["meta"]["conservator_number"]: one for one in document["results"]
    }
    return tuple(_result(found.get(number)) for number in range(len(suite.expectations)))


def _result(raw: Mapping[str, Any] | None) -> ExpectationResult:
    if raw is None:
        return ExpectationResult(False, "Great Expectations returned no result for it.", None, None)
    details = raw["result"]
    observed = details.get("observed_value")
    unexpected = details.get("unexpected_count")
    if unexpected is None and raw["expectation_config"]["type"] == "unexpected_rows_expectation":
        unexpected = observed
    keys = details.get("unexpected_index_column_names") or ()
    evidence = tuple(
        {key: str(row[key]) for key in keys}
        for row in details.get("partial_unexpected_index_list") or ()
    )
    return ExpectationResult(
        success=raw["success"],
        error=raw["exception_info"]["exception_message"] or None,
        unexpected=None if unexpected is None else float(unexpected),
        observed=None if observed is None else str(observed)[:_MAX_OBSERVED],
        evidence=evidence,
    )


def render(request: Render) -> Rendered:
    """Great Expectations' own report of each validation."""
    view = DefaultJinjaPageView()
    pages = {}
    for suite, document in request.documents.items():
        result = expectationSuiteValidationResultSchema.load(dict(document))
        pages[suite] = view.render(ValidationResultsPageRenderer().render(result))
    return Rendered(pages)
