"""Times that can't be, where moments are expressions over numbers and texts: counted as in plain
Python, whatever the expression cuts off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from checks import row_faults, supply
from checks.catalogue import read_catalogue
from checks.moment_steps import viewed_step
from checks.recording_rate.queries import hindrance, statements, take_sample, too_coarse
from checks.recording_rate.samples import SampleInterval
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    Cutoffs,
    ImpressionsSpec,
    PoolsSpec,
    SqlMoment,
    UsersSpec,
)
from tests.support.generated import examples
from tests.support.open_schema import run

pytestmark = pytest.mark.long

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
POOLS = PoolsSpec()
SKEW = timedelta(minutes=5)
STEP = timedelta.resolution
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIVE = timedelta(minutes=5)
ENOUGH = 20
"""So many impressions it takes to tell to what they were cut down."""


@dataclass(frozen=True)
class Kept:
    """How an application keeps moments, and how they are read."""

    name: str
    type: str
    written: str
    """Of the moment `t`."""
    read: str
    """Of the column `{}`."""
    unit: timedelta
    """To what that cuts them down."""
    is_day: bool = False
    """Its type says that it is a day."""

    def kept(self, moment: datetime) -> datetime:
        """What is left of the moment."""
        return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % self.unit


_EPOCH = "extract(epoch FROM t)"
_TEXT = "to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
KINDS = (
    Kept(
        "milliseconds",
        "bigint",
        f"floor({_EPOCH} * 1000)",
        "to_timestamp({} / 1000.0)",
        timedelta(milliseconds=1),
    ),
    Kept("seconds", "bigint", f"floor({_EPOCH})", "to_timestamp({})", timedelta(seconds=1)),
    Kept("double", "double precision", _EPOCH, "to_timestamp({})", STEP),
    Kept("minutes", "integer", f"floor({_EPOCH} / 60)", "to_timestamp({} * 60.0)", MINUTE),
    Kept("hours", "integer", f"floor({_EPOCH} / 3600)", "to_timestamp({} * 3600.0)", HOUR),
    Kept("days", "integer", f"floor({_EPOCH} / 86400)", "to_timestamp({} * 86400.0)", DAY),
    Kept("local text", "text", _TEXT, "{}::timestamp", STEP),
    Kept("zoned text", "text", f"{_TEXT} || 'Z'", "{}::timestamptz", STEP),
    Kept("day as text", "text", f"left({_TEXT}, 10)", "{}::date", DAY, is_day=True),
)
TABLES = """
CREATE TABLE guests (id int PRIMARY KEY);
CREATE TABLE pieces (id int PRIMARY KEY, made {type});
CREATE TABLE looks (guest int, piece int, looked {type});
"""


@dataclass(frozen=True)
class Gallery:
    """Pieces by their creation, and looks at them; the clocks of app and database agree."""

    made: tuple[datetime, ...]
    looked: tuple[tuple[int, datetime], ...]


def around(*corners: datetime) -> st.SearchStrategy[datetime]:
    steps = [timedelta(0), STEP, timedelta(milliseconds=1), timedelta(seconds=1), MINUTE, HOUR, DAY]
    near = [corner + sign * step for corner in corners for step in steps for sign in (-1, 1)]
    return st.sampled_from(near)


@st.composite
def galleries(draw: st.DrawFn) -> Gallery:
    old = NOW - timedelta(days=3)
    made = tuple(draw(st.lists(around(old, NOW + SKEW), min_size=1, max_size=4)))
    piece = st.integers(0, len(made) - 1)
    looks = piece.flatmap(
        lambda n: st.tuples(st.just(n), around(made[n] - SKEW, made[n], NOW, NOW + SKEW))
    )
    few = draw(st.lists(looks, min_size=1, max_size=4))
    # Many are plain: they only tell to what all were cut down.
    plain = draw(st.sampled_from([0, ENOUGH - 1, ENOUGH, ENOUGH + 5]))
    usual = [(0, NOW - timedelta(seconds=7 + 61 * n)) for n in range(plain)]
    return Gallery(made, (*few, *usual))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
async def opened(
    request: pytest.FixtureRequest, database_url: str
) -> AsyncIterator[tuple[Kept, AsyncConnection]]:
    kind: Kept = request.param
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with engine.connect() as connection:
        for statement in TABLES.format(type=kind.type).split(";\n"):
            if statement.strip():
                await run(connection, statement)
        await run(connection, "SET LOCAL timezone TO 'America/New_York'")
        yield kind, connection
    await engine.dispose()


def spec_of(kind: Kept) -> CatalogueSpec:
    def moment(name: str) -> SqlMoment:
        return SqlMoment(kind.read.format(name))

    return CatalogueSpec(
        artworks=ArtworksSpec("pieces", "id", moment("made")),
        users=UsersSpec("guests", "id"),
        impressions=ImpressionsSpec("looks", "guest", "piece", moment("looked")),
    )


async def fill(connection: AsyncConnection, kind: Kept, gallery: Gallery) -> None:
    await run(connection, "TRUNCATE pieces, looks")
    made = [f"({n}, timestamptz '{at.isoformat()}')" for n, at in enumerate(gallery.made)]
    given = f"(VALUES {', '.join(made)}) AS given (n, t)"
    await run(connection, f"INSERT INTO pieces SELECT n, {kind.written} FROM {given}")
    looked = [f"({n}, timestamptz '{at.isoformat()}')" for n, at in gallery.looked]
    if looked:
        given = f"(VALUES {', '.join(looked)}) AS given (n, t)"
        await run(connection, f"INSERT INTO looks SELECT 1, n, {kind.written} FROM {given}")


def step_of(kind: Kept, gallery: Gallery) -> timedelta:
    """To what all moments of viewing lie on whole ones, where there are enough."""
    if kind.is_day or len(gallery.looked) < ENOUGH:
        return timedelta(0)
    every = [kind.kept(at) - datetime(1970, 1, 1, tzinfo=UTC) for _, at in gallery.looked]
    fits = [s for s in (DAY, HOUR, FIVE, MINUTE) if not any(one % s for one in every)]
    return fits[0] if fits else timedelta(0)


def impossible_times(kind: Kept, gallery: Gallery) -> Mapping[str, int]:
    patience = DAY if kind.is_day else step_of(kind, gallery)
    before = ahead = 0
    for piece, at in gallery.looked:
        looked, made = kind.kept(at), kind.kept(gallery.made[piece])
        ahead += looked > NOW + SKEW
        before += looked <= NOW + SKEW and looked + patience < made - SKEW
    return {
        "impressions_before_artwork": before,
        "impressions_in_future": ahead,
        "artworks_in_future": sum(kind.kept(made) > NOW + SKEW for made in gallery.made),
        "artworks_without_time": 0,
    }


@examples(20)
@given(gallery=galleries())
async def test_impossible_times_are_counted_as_in_plain_python(
    opened: tuple[Kept, AsyncConnection], gallery: Gallery
) -> None:
    kind, connection = opened
    cutoffs = Cutoffs.at(NOW, POOLS)
    savepoint = await connection.begin_nested()
    await fill(connection, kind, gallery)
    catalogue = (await read_catalogue(connection, spec_of(kind))).require()
    assert await viewed_step(connection, catalogue, POOLS) == step_of(kind, gallery)
    found = await row_faults.measure_timestamps(connection, catalogue, POOLS, cutoffs)
    newest = await supply.measure_supply(connection, catalogue, POOLS, cutoffs)
    await savepoint.rollback()
    assert found.numbers == impossible_times(kind, gallery)
    made = [kind.kept(at) for at in gallery.made if kind.kept(at) <= NOW + SKEW]
    if made:
        age = max(0.0, (NOW - max(made)).total_seconds())
        assert newest.value == pytest.approx(age, abs=1e-5)
    else:
        assert newest.value == float("inf")


@examples(8)
@given(gallery=galleries(), listed=st.booleans())
async def test_a_sample_counts_what_was_viewed_in_it_but_for_the_ledger(
    opened: tuple[Kept, AsyncConnection], gallery: Gallery, listed: bool
) -> None:
    kind, connection = opened
    savepoint = await connection.begin_nested()
    interval = SampleInterval(NOW - FIVE, NOW)
    await fill(connection, kind, gallery)
    catalogue = (await read_catalogue(connection, spec_of(kind))).require()
    moment = kind.read.format("looked")
    await run(connection, "CREATE SCHEMA books")
    await run(
        connection,
        "CREATE TABLE books.backfilled_impression AS SELECT guest AS user_id, piece AS artwork_id,"
        f" {moment} AS viewed_at FROM looks WHERE piece = 0 AND {listed}",
    )
    if kind.is_day:
        assert "date" in str(hindrance(catalogue))
    else:
        texts = statements(catalogue, POOLS, "books")
        sample = await take_sample(connection, texts, interval)
        inside = [p for p, at in gallery.looked if NOW - FIVE <= kind.kept(at) < NOW]
        assert sample.impressions == sum(not (listed and piece == 0) for piece in inside)
    await savepoint.rollback()


async def test_what_is_coarser_than_an_interval_is_told(
    opened: tuple[Kept, AsyncConnection],
) -> None:
    kind, connection = opened
    usual = tuple((0, NOW - timedelta(seconds=7 + 61 * n)) for n in range(ENOUGH))
    await fill(connection, kind, Gallery((NOW - DAY,), usual))
    catalogue = (await read_catalogue(connection, spec_of(kind))).require()
    step = await viewed_step(connection, catalogue, POOLS)
    told = too_coarse(catalogue, step, FIVE)
    if kind.unit in (HOUR, DAY) and not kind.is_day:
        words = "hour" if kind.unit == HOUR else "day"
        assert told is not None
        assert f"catalog.impressions.viewed_at is known to the {words}" in told
    else:
        assert told is None
    # Made at the end of a step: at its start it can have been viewed, and a step before that not.
    made = kind.kept(NOW - 2 * DAY) + kind.unit - STEP
    early = [(1, made - kind.unit - late * kind.unit - SKEW) for late in (0, 1, 2)]
    await fill(connection, kind, Gallery((NOW - DAY, made), (*usual, *early)))
    found = await row_faults.measure_timestamps(
        connection, catalogue, POOLS, Cutoffs.at(NOW, POOLS)
    )
    expected = impossible_times(kind, Gallery((NOW - DAY, made), (*usual, *early)))
    assert found.numbers == expected
    assert found.numbers["impressions_before_artwork"] > 0
    if kind.unit >= HOUR:
        assert found.numbers["impressions_before_artwork"] < len(early)
    nobody = replace(spec_of(kind).impressions, viewed_at=None)
    silent = (
        await read_catalogue(connection, replace(spec_of(kind), impressions=nobody))
    ).require()
    assert "viewed_at is null" in str(hindrance(silent))
    assert await viewed_step(connection, silent, POOLS) == timedelta(0)
    measured = await row_faults.measure_timestamps(
        connection, silent, POOLS, Cutoffs.at(NOW, POOLS)
    )
    assert set(measured.numbers) == {"artworks_in_future", "artworks_without_time"}
    assert "Impressions were left out" in measured.message
