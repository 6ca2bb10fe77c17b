"""Prepares a database, and has the doctor look at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import psycopg
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from checks.catalogue import Facts, read_catalogue
from checks.census import take_census
from checks.doctor.findings import Examination, Finding, Severity
from checks.doctor.rules import examine
from checks.spec import CatalogueSpec, Cutoffs, PoolsSpec, SharedColumns, SqlMoment
from monitor.database import create_engine, snapshot


@dataclass(frozen=True)
class Patient:
    """A database of one test."""

    url: str
    spec: CatalogueSpec = field(default_factory=CatalogueSpec)
    pools: PoolsSpec = field(default_factory=PoolsSpec)
    patience: timedelta = timedelta(seconds=10)

    def run(self, *statements: str) -> None:
        """Runs SQL as the superuser, each argument in a transaction of its own."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    async def examine(self, *, role: str | None = None) -> Examination:
        """The doctor's findings, as `role` or as the superuser; the transaction survives them."""
        engine = create_engine(self.url, pool_size=1)
        try:
            async with snapshot(engine, timeout=timedelta(minutes=5)) as connection:
                if role is not None:
                    await connection.exec_driver_sql(f'SET ROLE "{role}"')
                found = await examine(
                    connection,
                    self.spec,
                    self.pools,
                    state_schema="conservator",
                    patience=self.patience,
                )
                timeout = await connection.exec_driver_sql("SHOW statement_timeout")
                assert timeout.scalar() == "5min"
                return found
        finally:
            await engine.dispose()

    async def census(self) -> tuple[int, int, int, int]:
        """What is counted, as the superuser."""
        engine = create_async_engine(self.url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                catalogue = (await read_catalogue(connection, self.spec)).require()
                now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
                cutoffs = Cutoffs.at(now, self.pools)
                return (await take_census(connection, catalogue, self.pools, cutoffs)).counts
        finally:
            await engine.dispose()

    async def facts(self) -> Facts:
        """What `read_catalogue` says, as the superuser."""
        engine = create_async_engine(self.url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                return await read_catalogue(connection, self.spec)
        finally:
            await engine.dispose()


def mended(spec: CatalogueSpec, finding: Finding) -> CatalogueSpec:
    """The configuration with the settings that the finding proposes."""
    for path, proposed in finding.settings.items():
        _, section, key = path.split(".")
        part = getattr(spec, section)
        value = proposed
        if key == "same":
            value = tuple(SharedColumns(**one) for one in proposed)
        elif key in ("set", "defaults"):
            value = {**getattr(part, key), **proposed}
        elif isinstance(proposed, dict):
            value = SqlMoment(**proposed)
        spec = replace(spec, **{section: replace(part, **{key: value})})
    return spec


def codes(examination: Examination, *severities: Severity) -> set[str]:
    """The codes found, of all severities unless some are given."""
    wanted = severities or tuple(Severity)
    return {finding.code for finding in examination.findings if finding.severity in wanted}


def only(examination: Examination, code: str) -> Finding:
    """The one finding with this code."""
    (finding,) = [finding for finding in examination.findings if finding.code == code]
    return finding
