"""What is counted is what is healed, and what is healed can be taken back, in every shape that an
app's tables may have."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import take_census
from checks.errors import CatalogueError
from checks.spec import CatalogueSpec, Cutoffs
from monitor.database import database_now, snapshot
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState
from tests.support.app import App, app_on
from tests.support.app_schema import AppSchema
from tests.support.galleries import HIDDEN, SHOWN, Gallery, micros
from tests.support.healing import make_runtime, plan, prepared, working
from tests.support.healing_schemas import HEALED, REFUSED, WARNED, WARNINGS, Refused
from tests.support.oracle import ExpectedCensus, anti_join
from tests.support.pair_lists import listed
from tests.support.undoing import undo

GIVEN = {
    "people": "id text, created text, note text, team text, wing text",
    "pieces": "id text, created text, owner text, note text, team text, wing text",
    "views": "person text, piece text, viewed text",
    "listings": "person text, piece text, since text, note text",
}
DAY = timedelta(days=1)
CREATED = (30, 20, 10, 8, 6, 1, 0.0005, -0.1, 40)  # days ago; of artworks 1 to 9
TEAMS = {2: "2", 3: None, 9: "2"}  # of artworks; the others are of team 1
JOINED = (100, 100, 15, None, 100, 100)  # days ago; of users 1 to 6


@dataclass(frozen=True)
class Healed:
    """A run, and how everything was before it."""

    run: Run
    pools: dict[str, str]
    gallery: Gallery
    before: ExpectedCensus
    impressions: dict[str, str]


@pytest.mark.parametrize("schema", HEALED, ids=lambda schema: schema.name)
async def test_what_is_counted_is_what_is_healed_and_what_is_taken_back(
    database_url: str, schema: AppSchema
) -> None:
    catalog = configured(schema.spec)
    async with app_on(database_url) as app:
        now = await app.value("SELECT now()")
        await app.run(schema.tables)
        await fill(app, schema, now)
        url = await prepared(database_url, catalog=catalog)
        done: list[Healed] = []
        for pools in (
            {},
            {"audience": "all", "legacy_created_before": (now - 9 * DAY).isoformat()},
            {"audience": "all"},
        ):
            async with make_runtime(url, catalog=catalog, pools=pools) as runtime:
                codes = {finding.code for finding in runtime.examination.findings}
                assert codes & WARNINGS == WARNED.get(schema.name, frozenset())
                done.append(await heal_and_compare(app, runtime, schema, pools))
                rows = sum(healed.run.inserted for healed in done)
                await assert_ledger_joins(app, runtime, rows)
        assert rows > 3
        for healed in reversed(done):
            async with make_runtime(url, catalog=catalog, pools=healed.pools) as runtime:
                await undo_and_compare(app, runtime, schema, healed)
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 0


async def fill(app: App, schema: AppSchema, now: datetime) -> None:
    """Six users and ten artworks of all ages; the sixth user has no impression."""

    def text(days: float | None) -> str | None:
        return None if days is None else schema.text(micros(now - days * DAY))

    people = [
        (
            schema.key(n),
            text(days if schema.aged or days is not None else 1),
            HIDDEN if n == 5 else SHOWN,
            "2" if n == 2 else "1",
            None,
        )
        for n, days in enumerate(JOINED, start=1)
    ]
    pieces = [
        (schema.key(n), text(days), schema.key((1, 6, 2)[n % 3]), SHOWN, TEAMS.get(n, "1"), None)
        for n, days in enumerate(CREATED, start=1)
    ]
    pieces.append((schema.key(10), text(30), schema.key(1), HIDDEN, "1", None))
    views = [(schema.key(n), schema.key(9), text(2)) for n in range(1, 6)]
    views += [(schema.key(1), schema.key(n), text(2)) for n in (1, 5, 7)]
    if schema.strangers:  # a user and an artwork that are there no more
        views += [
            (schema.key(77), schema.key(1), text(2)),
            (schema.key(2), schema.key(88), text(2)),
        ]
    # The second user is not listed with every other artwork, the third since 15 days only, and the
    # first one again, since 5 days.
    listings = [
        (schema.key(user), schema.key(piece), text({3: 15}.get(user)), SHOWN)
        for user in range(1, 7)
        for piece in range(1, 11)
        if user != 2 or piece % 2
    ]
    listings += [(schema.key(1), schema.key(piece), text(5), SHOWN) for piece in range(1, 11)]
    given: dict[str, list[tuple[str | None, ...]]] = {
        "people": [*people],
        "pieces": [*pieces],
        "views": [*views],
        "listings": [*listings],
    }
    fill = {
        "people": schema.fill_people,
        "pieces": schema.fill_pieces,
        "views": schema.fill_views,
        "listings": schema.fill_listings,
    }
    for kind, rows in given.items():
        if not fill[kind]:
            continue
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
    through = spec.pairs.through
    return {
        "artworks": {f.name: getattr(spec.artworks, f.name) for f in fields(spec.artworks)},
        "users": {f.name: getattr(spec.users, f.name) for f in fields(spec.users)},
        "impressions": {
            **impressions,
            "set": dict(spec.impressions.set),
            "defaults": dict(spec.impressions.defaults),
        },
        "pairs": {
            "same": [{"user": one.user, "artwork": one.artwork} for one in spec.pairs.same],
            "through": None if through is None else asdict(through),
        },
        "timezone": spec.timezone,
    }


async def heal_and_compare(
    app: App, runtime: Runtime, schema: AppSchema, configured_pools: dict[str, str]
) -> Healed:
    """Heal. Every pair is compared before and after, at the plan's moment."""
    pools = runtime.settings.pools_spec()
    impressions = await app.fingerprint(impressions_table(runtime))
    pairs = await listed(runtime)
    run = await plan(runtime)
    gallery = Gallery(now=run.legacy_until + pools.legacy_after, pools=pools)
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        before = await compared(connection, runtime, gallery, schema)
    ended = await working(runtime, run)
    assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        after = await compared(connection, runtime, gallery, schema)
    legacy = {
        pair
        for pair, state in before.states.items()
        if state == "legacy_untracked" and before.by_user[pair[0]][0]
    }
    assert after.states == before.states | dict.fromkeys(legacy, "tracked")
    assert ended.run.inserted == ended.run.legacy_before == len(legacy) > 0
    assert sorted((pair.user_id, pair.artwork_id) for pair in pairs) == sorted(legacy)
    assert ended.census is not None
    assert ended.census.legacy_untracked == ended.run.legacy_after == 0
    return Healed(ended.run, configured_pools, gallery, before, impressions)


def impressions_table(runtime: Runtime) -> str:
    """The table with its schema, quoted."""
    relation = runtime.catalogue.impressions
    return sql.Identifier(relation.schema, relation.name).as_string(None)


async def undo_and_compare(app: App, runtime: Runtime, schema: AppSchema, healed: Healed) -> None:
    """Take the run back. Every impression and every pair is as it was before it."""
    ended = await undo(runtime, healed.run.id)
    assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
    assert ended.run.inserted == healed.run.inserted
    assert await app.fingerprint(*healed.impressions) == healed.impressions
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        after = await compared(connection, runtime, healed.gallery, schema)
    assert after == healed.before
    assert ended.census is not None
    assert ended.census.legacy_untracked >= healed.run.inserted


async def compared(
    connection: AsyncConnection, runtime: Runtime, gallery: Gallery, schema: AppSchema
) -> ExpectedCensus:
    """The plain anti-join, which the census equals."""
    census = await take_census(
        connection, runtime.catalogue, gallery.pools, Cutoffs.at(gallery.now, gallery.pools)
    )
    expected = await anti_join(connection, gallery, schema)
    assert census.counts == expected.counts
    assert gallery.now <= await database_now(connection)
    return expected


async def assert_ledger_joins(app: App, runtime: Runtime, rows: int) -> None:
    """The ledger joins the impressions without a cast, at the moments of the batches."""
    catalogue = runtime.catalogue
    spec, relation = catalogue.spec.impressions, catalogue.impressions
    statement = sql.SQL(
        "SELECT b.viewed_at FROM conservator.backfilled_impression AS b JOIN {table} AS i"
        " ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id AND i.{viewed} = b.viewed_at"
    ).format(
        table=sql.Identifier(relation.schema, relation.name),
        user=sql.Identifier(spec.user),
        artwork=sql.Identifier(spec.artwork),
        viewed=sql.Identifier(str(spec.viewed_at)),
    )
    found = await (await app.connection.execute(statement)).fetchall()
    assert len(found) == rows
    batches = [moment for (moment,) in await app.rows("SELECT started_at FROM conservator.batch")]
    zone = ZoneInfo(catalogue.spec.timezone)
    for (viewed_at,) in found:
        moment = viewed_at if viewed_at.tzinfo else viewed_at.replace(tzinfo=zone)
        assert min(abs(moment - batch) for batch in batches) <= timedelta(milliseconds=1)
    columns = spec.filled
    types = [relation.columns[name].type for name in columns]
    ledger = await app.rows(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'conservator.backfilled_impression'::regclass AND attnum IN (2, 3, 4)"
        " ORDER BY attnum"
    )
    assert [found for (found,) in ledger] == types


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
async def test_where_healing_would_do_harm_it_is_refused_and_told_what_mends_it(
    database_url: str, refused: Refused
) -> None:
    async with app_on(database_url) as app:
        await app.run(refused.tables)
        with pytest.raises(CatalogueError, match=refused.says):
            async with make_runtime(database_url):
                pass
        assert await app.value("SELECT count(*) FROM user_art_impressions") == 0
        await app.run(refused.mends)
        async with make_runtime(database_url) as runtime:
            assert runtime.examination.blocking() == ()
