"""Backfills of the same pairs: the product's, and two that people write by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from sqlalchemy import MetaData, Table, and_, select
from sqlalchemy import create_engine as make_engine
from sqlalchemy.dialects.postgresql import insert

from bench.errors import BenchmarkError
from bench.servers import settings_for, statement
from monitor.database import create_engine
from monitor.demo.server import PostgresServer
from monitor.healing.executor import Progress
from monitor.opening import ensure_schema
from monitor.state.runs import RunState, Trigger
from monitor.workshop import build, inspect, require

_DUTY = "healing: {pace: {duty: 100%}}"


@dataclass(frozen=True, slots=True)
class Share:
    """The pairs to be written: those that the first users in id order miss."""

    users: tuple[str, ...]
    rows: int
    legacy_until: datetime
    """Without time zone, in UTC, as the column."""


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One batch of a heal run, for the JSON file."""

    size: int
    """Rows that it might have taken."""
    inserted: int
    users: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a contender did. Seconds by the wall clock."""

    rows: int
    writing: float
    planning: float = 0.0
    verifying: float = 0.0
    batches: tuple[BatchPoint, ...] = field(default=())

    @property
    def whole(self) -> float:
        """From the wish to the verified end."""
        return self.planning + self.writing + self.verifying


def choose_share(server: PostgresServer, database: str, rows: int) -> Share:
    """The first users that together miss at least `rows` rows; all users for 0."""
    with psycopg.connect(server.conninfo(database)) as connection:
        read = connection.execute("SELECT timezone('UTC', now()) - interval '7 days'").fetchone()
        until: datetime = (read or (datetime.now(UTC).replace(tzinfo=None),))[0]
        found = connection.execute(
            statement("share_of_users"), {"legacy_until": until, "rows": rows or 2**62}
        ).fetchall()
    return Share(tuple(row[0] for row in found), sum(int(row[1]) for row in found), until)


async def product(url: str, share: Share) -> Backfill:
    """A heal run as the service works it: Planner, Executor, verification; no rests."""
    settings = settings_for(url, _DUTY)
    engine = create_engine(url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect(engine, settings)
        workshop = build(engine, settings, examination, require(examination))
        await ensure_schema(engine, workshop.state)
        points: list[BatchPoint] = []
        ends: list[float] = []

        def note(progress: Progress) -> None:
            ends.append(time.perf_counter())
            if progress.batch is not None:
                batch = progress.batch
                points.append(BatchPoint(progress.size, batch.inserted, batch.users, batch.seconds))

        started = time.perf_counter()
        planned = await workshop.planner.plan_audience(
            workshop.claimant(Trigger.COMMAND),
            reason="A benchmark.",
            max_rows=share.rows,
            guard=lambda *_: None,
        )
        if planned.run is None:
            raise BenchmarkError("There is nothing to heal in this gallery.")
        begun = time.perf_counter()
        ended = await workshop.executor(note).work(planned.run)
        finished = time.perf_counter()
        if ended.run.state is not RunState.SUCCEEDED:
            raise BenchmarkError(f"The run ended as {ended.run.state}: {ended.run.outcome}")
        return Backfill(
            rows=ended.run.inserted,
            planning=begun - started,
            writing=ends[-1] - begun,
            verifying=finished - ends[-1],
            batches=tuple(points),
        )
    finally:
        await engine.dispose()


def sketch(conninfo: str, share: Share) -> Backfill:
    """The review's sketch: a transaction a user, ids selected, VALUES inserted."""
    insert = statement("sketch_insert")
    row = sql.SQL("(%s, %s, timezone('UTC', now()))")
    rows = 0
    with psycopg.connect(conninfo) as connection:
        started = time.perf_counter()
        for user in share.users:
            missing = connection.execute(
                statement("sketch_missing"),
                {"user_id": user, "legacy_until": share.legacy_until},
            ).fetchall()
            values = sql.SQL(", ").join([row] * len(missing))
            pairs = [value for (artwork,) in missing for value in (user, artwork)]
            rows += connection.execute(insert.format(rows=values), pairs).rowcount
            connection.commit()
        return Backfill(rows, time.perf_counter() - started)


def sketch_by_toolkit(url: str, share: Share) -> Backfill:
    """The same as an app in Python writes it: tables and statements of SQLAlchemy."""
    metadata = MetaData()
    engine = make_engine(url)
    try:
        artworks = Table("art_sessions", metadata, autoload_with=engine)
        impressions = Table("user_art_impressions", metadata, autoload_with=engine)
        rows = 0
        started = time.perf_counter()
        for user in share.users:
            seen = and_(impressions.c.artwork_id == artworks.c.id, impressions.c.user_id == user)
            missing = (
                select(artworks.c.id)
                .outerjoin(impressions, seen)
                .where(impressions.c.id.is_(None), artworks.c.created_at <= share.legacy_until)
            )
            with engine.begin() as connection:
                ids = connection.execute(missing).scalars().all()
                values = [
                    {"user_id": user, "artwork_id": artwork, "viewed_at": share.legacy_until}
                    for artwork in ids
                ]
                connection.execute(insert(impressions).values(values).on_conflict_do_nothing())
                # SQLAlchemy knows no row count here; on a copy of its own nothing conflicts.
                rows += len(ids)
        return Backfill(rows, time.perf_counter() - started)
    finally:
        engine.dispose()


def bare(conninfo: str, share: Share) -> Backfill:
    """One statement for all of the users, in one transaction."""
    with psycopg.connect(conninfo) as connection:
        started = time.perf_counter()
        written = connection.execute(
            statement("bare_backfill"),
            {"legacy_until": share.legacy_until, "last_user": share.users[-1]},
        )
        connection.commit()
        return Backfill(written.rowcount, time.perf_counter() - started)
