"""Samples of the recording rate on real tables: real impressions only, in any kind of column."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.recording_rate.queries import SAMPLE, hindrance, read_seeds, statements, take_sample
from checks.recording_rate.samples import SampleInterval
from checks.relations import Catalogue
from checks.spec import PoolsSpec
from tests.support.app_schema import AppSchema
from tests.support.galleries import Gallery, Person, Piece, micros
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema, open_schema, run
from tests.support.schema_matrix import APP, BERLIN, BIGINT, LOOSE, PARTITIONED, VIEWS
from tests.support.views import set_viewed

POOLS = PoolsSpec()
START = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
EVERY = timedelta(minutes=5)
INTERVAL = SampleInterval(START, START + EVERY)
LEDGER = "the ledger's"
_STEP = timedelta.resolution
MOMENTS = (
    START - timedelta(days=3),
    START - _STEP,
    START,
    START + timedelta(minutes=2),
    START + EVERY - _STEP,
    START + EVERY,
    START + timedelta(hours=5),
)
"""In the interval are the third to the fifth."""


@dataclass(frozen=True)
class View:
    """One pair's impression. `listed`: when this service wrote it, if it did."""

    viewed: datetime
    listed: datetime | None

    @property
    def is_real(self) -> bool:
        """Not as this service wrote it: somebody looked."""
        return self.viewed != self.listed


moments = st.sampled_from(MOMENTS)
views = st.builds(
    lambda viewed, listed, untouched: View(viewed, viewed if untouched else listed),
    moments,
    st.none() | moments,
    st.booleans(),
)


@asynccontextmanager
async def viewed(
    opened: OpenSchema, given_views: list[View]
) -> AsyncIterator[tuple[AsyncConnection, Catalogue]]:
    """The schema with one impression of each view, by different pairs, and the ledger."""
    people, pieces = range(4), range(4)
    pairs = [(person, piece) for piece in pieces for person in people][: len(given_views)]
    gallery = Gallery(
        now=START,
        people=tuple(Person(number, created=micros(MOMENTS[0])) for number in people),
        pieces=tuple(Piece(number, created=micros(MOMENTS[0])) for number in pieces),
        views=tuple(pairs),
    )
    key, catalogue = opened.schema.key, opened.catalogue
    by_pair = {
        (key(person), key(piece)): view
        for (person, piece), view in zip(pairs, given_views, strict=True)
    }
    async with opened.holding(gallery) as connection:
        listed = {pair: micros(v.listed) for pair, v in by_pair.items() if v.listed is not None}
        await set_viewed(connection, catalogue, listed)
        await run(connection, ledger(catalogue, list(listed)))
        await set_viewed(
            connection, catalogue, {pair: micros(view.viewed) for pair, view in by_pair.items()}
        )
        yield connection, catalogue


def ledger(catalogue: Catalogue, pairs: list[tuple[str, str]]) -> str:
    """Creates the ledger, and lists the impressions of `pairs` in it as they are."""
    spec = catalogue.spec.impressions
    names = {
        "ledger": sql.Identifier(LEDGER),
        "user": sql.Identifier(spec.user),
        "artwork": sql.Identifier(spec.artwork),
        "viewed_at": sql.Identifier(str(spec.viewed_at)),
        "impressions": sql.Identifier(catalogue.impressions.schema, catalogue.impressions.name),
        "pairs": sql.SQL(", ").join(
            sql.SQL("({}, {})").format(sql.Literal(user), sql.Literal(artwork))
            for user, artwork in pairs or [("", "")]
        ),
    }
    return (
        sql.SQL(
            "CREATE SCHEMA {ledger}; CREATE TABLE {ledger}.backfilled_impression AS"
            " SELECT {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at"
            " FROM {impressions} WHERE ({user}::text, {artwork}::text) IN (VALUES {pairs})"
        )
        .format(**names)
        .as_string(None)
    )


@pytest.fixture(
    params=[APP, LOOSE, PARTITIONED, BERLIN, BIGINT, VIEWS], ids=lambda schema: schema.name
)
async def opened(request: pytest.FixtureRequest, shared_url: str) -> AsyncIterator[OpenSchema]:
    """A schema, in a session whose time zone is nobody's."""
    async with open_schema(shared_url, request.param) as made:
        await run(made.connection, "SET TIME ZONE 'Pacific/Auckland'")
        await made.connection.commit()
        yield made


@examples(15)
@given(given_views=st.lists(views, max_size=16))
async def test_a_sample_holds_the_real_impressions_of_its_window(
    opened: OpenSchema, given_views: list[View]
) -> None:
    async with viewed(opened, given_views) as (connection, catalogue):
        texts = statements(catalogue, POOLS, LEDGER)
        sample = await take_sample(connection, texts, INTERVAL)
        bare = await take_sample(connection, statements(catalogue, POOLS, None), INTERVAL)
    within = [view for view in given_views if INTERVAL.start <= view.viewed < INTERVAL.end]
    assert sample.impressions == sum(view.is_real for view in within)
    assert bare.impressions == len(within)
    assert (sample.start, sample.end, sample.seeded) == (INTERVAL.start, INTERVAL.end, False)


@pytest.mark.parametrize("schema", [APP, BERLIN, VIEWS], ids=lambda schema: schema.name)
async def test_seeds_hold_what_samples_of_the_same_intervals_would(
    shared_url: str, schema: AppSchema
) -> None:
    given_views = [
        View(START - timedelta(minutes=7 * number), START if number % 3 == 0 else None)
        for number in range(1, 15)
    ] + [View(START - EVERY, START - EVERY)]
    async with (
        open_schema(shared_url, schema) as opened,
        viewed(opened, given_views) as (connection, catalogue),
    ):
        texts = statements(catalogue, POOLS, LEDGER)
        seeded = list(await read_seeds(connection, texts, START + timedelta(minutes=1), EVERY))
        counted = [
            await take_sample(connection, texts, SampleInterval(sample.start, sample.end))
            for sample in seeded
        ]
    assert [replace(sample, seeded=True) for sample in counted] == seeded
    assert sum(sample.impressions for sample in seeded) == 14
    assert seeded[0].start == START - timedelta(minutes=100), "the first with an impression"
    assert seeded[-1].end == START, "the last whole interval"


async def test_a_table_without_impressions_has_nothing_to_seed_from(shared_url: str) -> None:
    async with (
        open_schema(shared_url, APP) as opened,
        viewed(opened, []) as (connection, catalogue),
    ):
        assert not list(
            await read_seeds(connection, statements(catalogue, POOLS, LEDGER), START, EVERY)
        )


async def test_artworks_created_in_the_window_are_counted(shared_url: str) -> None:
    pieces = tuple(Piece(number, created=micros(moment)) for number, moment in enumerate(MOMENTS))
    async with (
        open_schema(shared_url, BERLIN) as opened,
        opened.holding(Gallery(now=START, pieces=pieces)) as connection,
    ):
        sample = await take_sample(connection, statements(opened.catalogue, POOLS, None), INTERVAL)
    assert sample.artworks == 3


async def test_dates_without_a_time_of_day_are_refused(shared_url: str) -> None:
    async with open_schema(shared_url, APP) as opened:
        catalogue = opened.catalogue
    assert hindrance(catalogue) is None
    column = replace(catalogue.impressions.columns["viewed_at"], type="date", cast="date")
    dated = replace(catalogue.impressions, columns={"viewed_at": column})
    reason = hindrance(replace(catalogue, impressions=dated))
    assert reason == "user_art_impressions.viewed_at is a date, without a time of day"


async def test_rows_of_one_moment_are_never_compared_each_with_all(shared_url: str) -> None:
    """As a run leaves them, before anybody has counted them for the planner, which then likes a
    join by the moment alone."""
    pairs = tuple((person, piece) for person in range(20) for piece in range(20))
    gallery = Gallery(
        now=START,
        people=tuple(Person(number, created=micros(MOMENTS[0])) for number in range(20)),
        pieces=tuple(Piece(number, created=micros(MOMENTS[0])) for number in range(20)),
        views=pairs,
    )
    async with (
        open_schema(shared_url, APP) as opened,
        opened.holding(gallery) as connection,
    ):
        key, catalogue = opened.schema.key, opened.catalogue
        at_once = {(key(person), key(piece)): micros(START) for person, piece in pairs}
        await set_viewed(connection, catalogue, at_once)
        await run(connection, ledger(catalogue, list(at_once)))
        await run(connection, "SET LOCAL enable_hashjoin = off")
        text = statements(catalogue, POOLS, LEDGER)[SAMPLE]
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {text}"
        values = {"start": INTERVAL.start, "end": INTERVAL.end}
        found = (await connection.exec_driver_sql(explained, values)).scalar_one()
        sample = await take_sample(connection, statements(catalogue, POOLS, LEDGER), INTERVAL)
    assert sample.impressions == 0
    assert max(compared(found[0]["Plan"])) < len(pairs)


def compared(plan: dict[str, Any]) -> Iterator[float]:
    """Pairs of rows that each join of the plan looked at in vain."""
    yield plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"]
    for child in plan.get("Plans", ()):
        yield from compared(child)
