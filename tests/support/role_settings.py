"""Settings that a role may carry, and what the program finds, writes and takes back under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from checks.doctor.findings import Blocks
from checks.errors import ConservatorError
from monitor.checking.expectations.worker import WorkerPool, validate
from monitor.checking.once import check_names, check_once
from monitor.config import ExpectationsCheck, Settings
from monitor.config.checks import Expectation
from monitor.database import create_engine
from monitor.runtime import build, inspect_catalogue, require_catalogue
from tests.support.app import app_on, conninfo
from tests.support.healing import heal, service_settings
from tests.support.roles import SERVICE, as_service
from tests.support.undoing import undo

SUITE = ExpectationsCheck(
    name="gallery",
    table="users",
    expectations=(
        Expectation(
            type="expect_column_values_to_match_regex", kwargs={"column": "id", "regex": r"^u\d+$"}
        ),
        Expectation(
            type="expect_column_values_to_be_in_set",
            kwargs={"column": "id", "value_set": ["u0001", "back\\slash"]},
        ),
        Expectation(
            type="expect_column_max_to_be_between",
            kwargs={"column": "created_at", "max_value": "2100-12-31"},
        ),
    ),
)
"""Texts with backslashes, and a moment."""
_SQL = {"name": "digits", "query": r"SELECT count(*) FROM users WHERE id ~ '^u\d+$'", "warn": "> 9"}
_SHAPES: tuple[Mapping[str, Any], ...] = (
    {},
    {"impressions": {"counts": r"version::text ~ '^\d+$'", "set": {"version": "1"}}},
)
"""Rows of a pair and a moment, and rows of any shape."""

_LISTS = frozenset({"search_path", "temp_tablespaces", "local_preload_libraries"})
"""A comma in a text would be a part of one name."""


@dataclass(frozen=True)
class Numbers:
    """What came of a gallery: the same under any setting."""

    findings: tuple[tuple[str, ...], ...]
    checks: tuple[Mapping[str, tuple[str, float | None]], ...]
    written: tuple[tuple[int, int], ...]
    """Rows healed, and taken back; by shape."""
    suite: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Gallery:
    """A gallery in a database, and its role's settings."""

    url: str
    """For whoever may alter roles."""
    settings: tuple[Settings, ...]
    """By shape."""
    worker: WorkerPool | None

    @contextmanager
    def altered(self, odd: Mapping[str, str]) -> Iterator[None]:
        """The role carries these settings, in this database."""
        role = sql.SQL("ALTER ROLE {} IN DATABASE {} ").format(
            sql.Identifier(SERVICE), sql.Identifier(make_url(self.url).database or "")
        )
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            try:
                for name, value in odd.items():
                    parts = value.split(", ") if name in _LISTS else [value]
                    said = sql.SQL(", ").join(map(sql.Literal, parts))
                    one = sql.SQL("SET {} = {}").format(sql.Identifier(name), said)
                    connection.execute(role + one)
                yield
            finally:
                connection.execute(role + sql.SQL("RESET ALL"))

    async def numbers(self, through: str | None = None, *, with_suite: bool = True) -> Numbers:
        """Diagnose, count, heal, take back, once a shape; on the server that the URL `through`
        leads to."""
        found = [await _numbers(one, through) for one in self.settings]
        suite: tuple[tuple[str, float | None], ...] = ()
        if self.worker is not None and with_suite:
            url = _through(self.settings[0], through)
            done = await self.worker.run(validate, url, 10_000, SUITE, deadline_seconds=60.0)
            suite = tuple((str(one.outcome), one.value) for one in done.results)
        findings, checks, written = zip(*found, strict=True)
        return Numbers(findings, checks, written, suite)


async def gallery_of(url: str, worker: WorkerPool | None = None) -> Gallery:
    """A gallery with five users who lack four artworks each, at `url`, with its tables."""
    async with app_on(url) as app:
        await app.plant(users=5, artworks=4)
    checks = {"sql": [_SQL]}
    settings = [await service_settings(url, catalog=one, checks=checks) for one in _SHAPES]
    return Gallery(url, tuple(settings), worker)


def _through(settings: Settings, through: str | None) -> str:
    return settings.database.sqlalchemy_url if through is None else as_service(through)


async def _numbers(settings: Settings, through: str | None) -> tuple[Any, ...]:
    engine = create_engine(_through(settings, through), pool_size=3)
    try:
        examination = await inspect_catalogue(engine, settings)
        codes = tuple(one.code for one in examination.findings)
        catalogue = require_catalogue(examination, Blocks.HEALING)
        board = await check_once(engine, settings, check_names(settings))
        checks = {
            name: (str(one.outcome), one.value if name != "artwork_supply" else None)
            for name, one in board.current.checks.items()
        }
        failed = [
            one.message for one in board.current.checks.values() if str(one.outcome) == "error"
        ]
        if failed:
            raise ConservatorError(failed[0])
        runtime = build(engine, settings, examination, catalogue)
        healed = await heal(runtime)
        undone = await undo(runtime, healed.run.id)
        ends = {str(one.run.state) for one in (healed, undone)}
        if ends != {"succeeded"}:
            raise ConservatorError(f"{healed.run.outcome} {undone.run.outcome}")
        return codes, checks, (healed.run.inserted, undone.run.inserted)
    finally:
        await engine.dispose()
