"""What is counted is what is healed, in every shape that an app's tables may have."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import take_census
from checks.errors import CatalogueError
from checks.spec import Borders, CatalogueSpec, ImpressionsSpec
from monitor.database import snapshot
from monitor.healing.planning import database_now
from monitor.state.runs import RunState
from monitor.workshop import Workshop
from tests.support.anti_join import anti_join
from tests.support.app import App, app_on
from tests.support.galleries import HIDDEN, SHOWN, Gallery, micros
from tests.support.hall_list import (
    AGED,
    AGED_LOOSE,
    APP,
    ARTWORKS_FILTERED,
    OWNED,
    OWNED_AGED,
    PARTITIONED,
    PLAIN,
    USERS_FILTERED,
)
from tests.support.halls import Hall
from tests.support.healing import make_workshop, plan
from tests.support.odd_halls import BERLIN, BIGINT
from tests.support.reckoning import Reckoning

GIVEN = {
    "people": "id text, created text, note text",
    "pieces": "id text, created text, owner text, note text",
    "views": "person text, piece text, viewed text",
}
DEFAULTS = replace(
    APP,
    name="impressions whose columns want values",
    spec=CatalogueSpec(
        impressions=ImpressionsSpec(
            defaults={"id": "gen_random_uuid()::text", "version": "(7 % 4) -- 100%"}
        )
    ),
    tables=APP.tables
    + "ALTER TABLE user_art_impressions ALTER id DROP DEFAULT, ALTER version DROP DEFAULT;",
    fill_views="INSERT INTO user_art_impressions (id, version, user_id, artwork_id, viewed_at)"
    " SELECT gen_random_uuid(), 1, person, piece, viewed::timestamp FROM given",
)
MILLISECONDS = replace(
    BERLIN,
    name="camel case, moments in milliseconds",
    tables=BERLIN.tables.replace(" timestamp", " timestamptz(3)"),
    fill_people=BERLIN.fill_people.replace("timestamp", "timestamptz"),
    fill_pieces=BERLIN.fill_pieces.replace("timestamp", "timestamptz"),
    fill_views=BERLIN.fill_views.replace("timestamp", "timestamptz"),
    people=BERLIN.people.replace("AT TIME ZONE 'Europe/Berlin'", ""),
    pieces=BERLIN.pieces.replace("AT TIME ZONE 'Europe/Berlin'", ""),
    stored=PLAIN.stored,
)


def strict(hall: Hall) -> Hall:
    """The hall with keys that healing requires."""
    return replace(hall, tables=PLAIN.tables, strict=True, orphans=False)


HALLS = (
    *(APP, DEFAULTS, PLAIN, ARTWORKS_FILTERED, USERS_FILTERED, AGED, BERLIN, MILLISECONDS),
    *(BIGINT, PARTITIONED, strict(AGED_LOOSE), strict(OWNED), strict(OWNED_AGED)),
)
DAY = timedelta(days=1)
CREATED = (30, 20, 10, 8, 6, 1, 0.0005, -0.1, 40)  # days ago; of artworks 1 to 9
JOINED = (100, 100, 15, None, 100, 100)  # days ago; of users 1 to 6


@pytest.mark.parametrize("hall", HALLS, ids=lambda hall: hall.name)
async def test_what_is_counted_is_what_is_healed(database_url: str, hall: Hall) -> None:
    async with app_on(database_url) as app:
        now = await app.value("SELECT now()")
        await app.run(hall.tables)
        await hang(app, hall, now)
        healed = 0
        for pools in (
            {},
            {"audience": "all", "legacy_created_before": (now - 9 * DAY).isoformat()},
            {"audience": "all"},
        ):
            async with make_workshop(
                database_url, catalog=configured(hall.spec), pools=pools
            ) as workshop:
                healed += await heal_and_compare(workshop, hall)
                await assert_ledger_joins(app, workshop, healed)
        assert healed > 3


async def hang(app: App, hall: Hall, now: datetime) -> None:
    """Six users and ten artworks of all ages; the sixth user has no impression."""

    def text(days: float | None) -> str | None:
        return None if days is None else hall.text(micros(now - days * DAY))

    people = [
        (
            hall.key(n),
            text(days if hall.aged or days is not None else 1),
            HIDDEN if n == 5 else SHOWN,
        )
        for n, days in enumerate(JOINED, start=1)
    ]
    pieces = [
        (hall.key(n), text(days), hall.key((1, 6, 2)[n % 3]), SHOWN)
        for n, days in enumerate(CREATED, start=1)
    ]
    pieces.append((hall.key(10), text(30), hall.key(1), HIDDEN))
    views = [(hall.key(n), hall.key(9), text(2)) for n in range(1, 6)]
    views += [(hall.key(1), hall.key(n), text(2)) for n in (1, 5, 7)]
    given: dict[str, list[tuple[str | None, ...]]] = {
        "people": [*people],
        "pieces": [*pieces],
        "views": [*views],
    }
    fill = {"people": hall.fill_people, "pieces": hall.fill_pieces, "views": hall.fill_views}
    for kind, rows in given.items():
        names = [column.split()[0] for column in GIVEN[kind].split(", ")]
        values = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
        await app.run(
            f"WITH given AS (SELECT * FROM json_to_recordset(%(rows)s::json) AS t ({GIVEN[kind]})) "
            + fill[kind].replace("%", "%%"),
            rows=values,
        )


def configured(spec: CatalogueSpec) -> dict[str, Any]:
    """The `catalog` section that says what `spec` says."""
    impressions = {f.name: getattr(spec.impressions, f.name) for f in fields(spec.impressions)}
    return {
        "artworks": {f.name: getattr(spec.artworks, f.name) for f in fields(spec.artworks)},
        "users": {f.name: getattr(spec.users, f.name) for f in fields(spec.users)},
        "impressions": {**impressions, "defaults": dict(spec.impressions.defaults)},
        "timezone": spec.timezone,
    }


async def heal_and_compare(workshop: Workshop, hall: Hall) -> int:
    """Heal; the rows written. Every pair is compared before and after, at the plan's moment."""
    pools = workshop.settings.pools_spec()
    run = await plan(workshop)
    gallery = Gallery(now=run.legacy_until + pools.legacy_after, pools=pools)
    async with snapshot(workshop.engine, timeout=workshop.settings.lease) as connection:
        before = await compared(connection, workshop, gallery, hall)
    ended = await workshop.executor(lambda _: None).work(run)
    assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
    async with snapshot(workshop.engine, timeout=workshop.settings.lease) as connection:
        after = await compared(connection, workshop, gallery, hall)
    legacy = {
        pair
        for pair, state in before.states.items()
        if state == "legacy_untracked" and before.by_user[pair[0]][0]
    }
    assert after.states == before.states | dict.fromkeys(legacy, "tracked")
    assert ended.run.inserted == ended.run.legacy_before == len(legacy) > 0
    assert ended.census is not None
    assert ended.census.legacy_untracked == ended.run.legacy_after == 0
    return len(legacy)


async def compared(
    connection: AsyncConnection, workshop: Workshop, gallery: Gallery, hall: Hall
) -> Reckoning:
    """The plain anti-join, which the census equals."""
    census = await take_census(
        connection, workshop.catalogue, gallery.pools, Borders.at(gallery.now, gallery.pools)
    )
    expected = await anti_join(connection, gallery, hall)
    assert census.counts == expected.counts
    assert gallery.now <= await database_now(connection)
    return expected


async def assert_ledger_joins(app: App, workshop: Workshop, rows: int) -> None:
    """The ledger joins the impressions without a cast, at the moments of the batches."""
    catalogue = workshop.catalogue
    spec, relation = catalogue.spec.impressions, catalogue.impressions
    statement = sql.SQL(
        "SELECT b.viewed_at FROM conservator.backfilled_impression AS b JOIN {table} AS i"
        " ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id AND i.{viewed} = b.viewed_at"
    ).format(
        table=sql.Identifier(relation.schema, relation.name),
        user=sql.Identifier(spec.user),
        artwork=sql.Identifier(spec.artwork),
        viewed=sql.Identifier(spec.viewed_at),
    )
    found = await (await app.connection.execute(statement)).fetchall()
    assert len(found) == rows
    batches = [moment for (moment,) in await app.rows("SELECT started_at FROM conservator.batch")]
    zone = ZoneInfo(catalogue.spec.timezone)
    for (viewed_at,) in found:
        moment = viewed_at if viewed_at.tzinfo else viewed_at.replace(tzinfo=zone)
        assert min(abs(moment - batch) for batch in batches) <= timedelta(milliseconds=1)
    columns = (spec.user, spec.artwork, spec.viewed_at)
    types = [relation.columns[name].type for name in columns]
    ledger = await app.rows(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'conservator.backfilled_impression'::regclass AND attnum > 1"
        " ORDER BY attnum"
    )
    assert [found for (found,) in ledger] == types


async def test_without_a_key_on_the_pair_nothing_is_ever_written(
    database_url: str,
) -> None:
    async with app_on(database_url) as app:
        await app.run(OWNED.tables)
        with pytest.raises(CatalogueError, match="CREATE UNIQUE INDEX"):
            async with make_workshop(database_url):
                pass
        assert await app.value("SELECT to_regnamespace('conservator') IS NULL")
