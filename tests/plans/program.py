"""Everything that the product does with the app's tables and its ledger, once each.

In acts, one a catalogue: the app as it is; artworks that pair with their owner; users with a
creation time; users and artworks of which only some count; pairs that agree in a column; pairs that
a table lists; the app without its constraints, so that nothing is proved and nothing skipped. And
repairs of a table as large as the impressions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import CensusForm, exact_forms, take_census
from checks.pairs import read_pair, take_user_census
from checks.recording_rate import queries
from checks.recording_rate.samples import SampleInterval
from checks.spec import Cutoffs
from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.once import check_names, check_once
from monitor.database import create_engine, database_now, snapshot, transaction
from monitor.healing.missing import list_missing, still_missing
from monitor.healing.planner import count_recurring
from monitor.healing.preview import preflight, preview_heal
from monitor.healing.user_backfill import AskedUser
from monitor.loop.tallies import prune_tallies, take_tally
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import CurrentRuntime, Runtime
from monitor.service.service import Service
from monitor.state.checks import keep_samples
from monitor.state.control import read_control, resume
from monitor.state.runs import RunKind
from monitor.status import STRUCTURE
from tests.plans.files import name_of, statement_files
from tests.plans.log import Log
from tests.plans.record import Kept, together
from tests.support import repairing
from tests.support.app import App, app_on
from tests.support.check_registry import registry_of
from tests.support.healing import UNLIMITED, heal, make_runtime, make_settings
from tests.support.poison import RAISED, a_day_passes
from tests.support.postgres import PostgresServer
from tests.support.repairing import configured, mend, take_back
from tests.support.stale_statistics import OURS_ARE_EMPTY
from tests.support.undoing import plan_undo, previewed
from tests.support.waiting import wait_until

PATIENCE = 300.0
_LOOSE = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey;
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
DROP INDEX user_art_impressions_unique_user_artwork;
CREATE INDEX user_art_impressions_pair ON user_art_impressions (user_id, artwork_id);
ALTER TABLE art_sessions ALTER created_at DROP NOT NULL;
INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('nobody', 'nothing');
UPDATE user_art_impressions SET viewed_at = '2020-01-01' WHERE id IN (
    SELECT id FROM user_art_impressions WHERE user_id <> 'nobody' LIMIT 10
);
"""
"""Nothing is proved, and every kind of fault is there, so that its evidence is asked for."""
_OWNED = """
UPDATE art_sessions AS a SET user_id = u.id FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS size FROM users
) AS u WHERE u.n = abs(hashtext(a.id)::bigint) % u.size + 1;
"""
_TEAMS = """
ALTER TABLE users ADD COLUMN team int;
ALTER TABLE art_sessions ADD COLUMN team int;
UPDATE users SET team = abs(hashtext(id)) % 3;
UPDATE art_sessions SET team = abs(hashtext(id)) % 3;
"""
_LIST = """
CREATE TABLE visible AS
SELECT u.id AS user_id, a.id AS artwork_id, a.created_at AS since
FROM users AS u CROSS JOIN art_sessions AS a;
ALTER TABLE visible ADD PRIMARY KEY (user_id, artwork_id);
GRANT SELECT ON visible TO PUBLIC;
"""
# As many rows as there are impressions, of which some are nobody's, some stale and some missing.
_SHOWN = """
CREATE TABLE shown AS
SELECT row_number() OVER () AS id, user_id, artwork_id, 1 AS version FROM user_art_impressions;
INSERT INTO shown SELECT -n, 'nobody', n::text, 1 FROM generate_series(1, 9000) AS n;
ALTER TABLE shown ADD PRIMARY KEY (id);
UPDATE shown SET version = 0 WHERE id BETWEEN 1 AND 3000;
CREATE TABLE unshown AS SELECT * FROM shown WHERE id BETWEEN 5001 AND 8000;
DELETE FROM shown WHERE id BETWEEN 5001 AND 8000;
CREATE FUNCTION looked_up(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE COST 100000000
    AS 'BEGIN RETURN $1; END';
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER nothing AFTER UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION nothing()
"""
_FIND = {
    "delete": "SELECT s.id FROM shown AS s LEFT JOIN users AS u ON u.id = s.user_id"
    " WHERE u.id IS NULL",
    "update": "SELECT s.id, a.version FROM shown AS s JOIN art_sessions AS a ON a.id = s.artwork_id"
    " WHERE s.version <> a.version",
    "insert": "SELECT u.* FROM unshown AS u"
    " WHERE NOT EXISTS (SELECT FROM shown AS s WHERE s.id = u.id)",
}
_WHOLE = (
    "SELECT {} FROM"
    " (SELECT *, count(*) OVER (PARTITION BY looked_up(f.id)) AS n FROM ({}) AS f) AS f"
)
"""PostgreSQL can't keep a window to some keys, and thinks that it costs much at any size."""
_VALUES = {
    "delete": "f.id",
    "update": "f.id, f.version",
    "insert": "f.id, f.user_id, f.artwork_id, f.version",
}
_OWN = {"name": "own", "query": "SELECT count(*) FROM users WHERE NOT is_active"}
_SETTLE = "VACUUM (ANALYZE)"
_SOME_PAIR = """
SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a
WHERE a.created_at < timezone('UTC', now()) - interval '8 days'
  AND NOT EXISTS (SELECT FROM user_art_impressions AS i
      WHERE i.user_id = u.id AND i.artwork_id = a.id)
LIMIT 2
"""
_FEW = """
SELECT id FROM art_sessions WHERE created_at < timezone('UTC', now()) - interval '8 days' LIMIT 3
"""
_VIEWS = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, timezone('UTC', now())
FROM (SELECT id FROM users LIMIT 20) AS u CROSS JOIN (
    SELECT id FROM art_sessions ORDER BY created_at DESC LIMIT 20
) AS a
ON CONFLICT DO NOTHING
"""
_LAST_USERS = "SELECT id FROM users ORDER BY id DESC LIMIT 8"
_STAYS = """
CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE 'this one stays'; END $$;
DO $$ BEGIN EXECUTE (
    SELECT format('CREATE TRIGGER stays BEFORE DELETE ON user_art_impressions FOR EACH ROW'
        ' WHEN (OLD.user_id = %L AND OLD.artwork_id = %L) EXECUTE FUNCTION stays()',
        user_id, artwork_id)
    FROM conservator.backfilled_impression WHERE run_id = 2 LIMIT 1
); END $$
"""


@dataclass
class Seen:
    """What the server wrote down."""

    plans: dict[str, dict[str, Kept]] = field(default_factory=dict)
    """By act, then by statement: those that read a large table."""
    files: set[str] = field(default_factory=set)
    """Every file of which a statement was executed."""
    unknown: set[str] = field(default_factory=set)
    """Statements over large tables that came from no file."""


class Program:
    """Performs on one database, which it does not leave as it was."""

    def __init__(self, server: PostgresServer, database: str, *, change: str, stale: bool) -> None:
        """`change` is SQL for the database before; `stale`: the statistics of our own tables
        promise that these are empty, whatever has been written there since."""
        self._url = server.url(database)
        self._change = change
        self._stale = stale
        self._files = statement_files()
        self._log = Log(server.log)
        self._seen = Seen()

    async def perform(self) -> Seen:
        """All acts, in order."""
        async with app_on(self._url) as app:
            await _run(app, self._change)
            async with make_runtime(self._url):
                pass
            async with self._act("app", app):
                await self._the_app(app)
            await _run(app, _OWNED)
            async with self._act("owner", app):
                await self._form(artworks={"owner": "user_id"})
            async with self._act("user age", app):
                await self._form(users={"created_at": "created_at"})
            async with self._act("filters", app):
                await self._form(
                    users={"where": "is_active"},
                    artworks={"where": "pool_status = 'active'"},
                    impressions={"defaults": {"version": "1"}},
                )
            await _run(app, _TEAMS)
            async with self._act("teams", app):
                await self._form(pairs={"same": ["team"]})
            async with self._act("teams and user age", app):
                await self._form(pairs={"same": ["team"]}, users={"created_at": "created_at"})
            await _run(app, _LIST)
            async with self._act("list", app):
                await self._form(pairs={"through": {"table": "visible", "since": "since"}})
            await self.repair(app)
            await _run(app, _LOOSE)
            async with self._act("loose", app):
                await self._check_all()
        return self._seen

    async def repair(self, app: App) -> None:
        """Repairs of each kind, each form a run and its undo."""
        await app.run(_SHOWN)
        async with self._act("repairs", app):
            repairs = [
                configured(f"{kind}_{form}", table="shown", find=find, action=kind)
                for kind, asked in _FIND.items()
                for form, find in (("asked", asked), ("frozen", _frozen(kind, asked)))
            ]
            async with make_runtime(self._url, repairs=repairs) as runtime:
                for name in (f"{kind}_{form}" for kind in _FIND for form in ("asked", "frozen")):
                    await repairing.previewed(runtime, name)
                    run = (await mend(runtime, name)).run
                    assert run.repair_plan is not None
                    assert run.repair_plan["asks_again"] is name.endswith("asked"), name
                    await take_back(runtime, run.id)

    @asynccontextmanager
    async def _act(self, name: str, app: App) -> AsyncIterator[None]:
        await self._settle(app)
        self._log.read()
        yield
        named = [(name_of(one.text, self._files), one) for one in self._log.read()]
        self._seen.files |= {file for file, _ in named if file is not None}
        self._seen.plans[name] = together((file, one) for file, one in named if file is not None)
        self._seen.unknown |= together(
            (one.text, one) for file, one in named if file is None
        ).keys()

    async def _settle(self, app: App) -> None:
        await _run(app, _SETTLE)
        if self._stale:
            await _run(app, OURS_ARE_EMPTY)

    async def _the_app(self, app: App) -> None:
        await self._check_all()
        pairs = await app.rows(_SOME_PAIR)
        await RAISED.build(app, pairs[:1])
        await self._serve(pairs[1][0])
        # It has to see other sessions, or every count is a full one.
        async with make_runtime(self._url, watches=True) as runtime:
            await self._look(runtime, *pairs[0])
            await app.run("DROP TRIGGER refuse ON user_art_impressions")
            await a_day_passes(app)
            await heal(runtime)
            await self._settle(app)
            await self._run_checks(runtime, app)
            await self._keep_house(runtime)
            await self._undo(runtime, app)

    async def _check_all(self, names: tuple[str, ...] = (), **config: Any) -> None:
        """As `conservator check` does."""
        settings = make_settings(self._url, **config)
        engine = create_engine(self._url, pool_size=settings.database.pool_size)
        try:
            await check_once(engine, settings, names or check_names(settings))
        finally:
            await engine.dispose()

    async def _form(self, **catalog: Any) -> None:
        """The census of a catalogue of another kind, its plan, and a small run."""
        config = {"catalog": catalog, "checks": {"sql": [_OWN]}}
        await self._check_all(("census", "pool_exhaustion", "timestamps", "own"), **config)
        async with make_runtime(self._url, **config) as runtime:
            await self._preview(runtime)
            await self._list(runtime)
            await heal(runtime, max_rows=500)
            await self._log_in(runtime)

    async def _log_in(self, runtime: Runtime) -> None:
        """Users who are backfilled together."""
        # Not by the service, whose statements are all looked at.
        async with app_on(self._url) as app:
            asked = [AskedUser(str(user), force=False) for (user,) in await app.rows(_LAST_USERS)]
        await runtime.user_backfills().write(asked)

    async def _serve(self, user: str) -> None:
        """The service with its loop, and everything that pages and API ask of it."""
        # What it would sample has the run in it or not, by how fast this machine is.
        checks = {"recording_rate": {"enabled": False}}
        service = Service(make_settings(self._url, healing={"mode": "observe"}, checks=checks))
        try:
            await service.start()
            commands = service.commands

            async def healed() -> bool:
                runs = await commands.runs(limit=10, before=None)
                return any(run.kind is RunKind.HEAL and run.finished_at for run in runs)

            await commands.user_census(user)
            await commands.would_backfill_user(user)
            await commands.backfill_user(user, force=False)
            await commands.backfill_all()
            await wait_until(healed, PATIENCE)
            run = (await commands.runs(limit=1, before=None))[0].id
            for ask in (commands.run, commands.waits, commands.quarantine, commands.would_undo):
                await ask(run)
            await commands.batches(run, limit=10, after=0)
            await commands.backfilled(user)
            await commands.census_series(timedelta(hours=6))
            await commands.check_history("census", limit=5)
            await commands.pause("a test")
            await commands.resume()
            await commands.reset_breaker()
        finally:
            await service.stop()

    async def _preview(self, runtime: Runtime) -> None:
        """The numbers before a person agrees."""
        async with _asked(runtime) as (connection, cutoffs):
            await preview_heal(
                connection,
                runtime.healing,
                cutoffs,
                max_rows=UNLIMITED,
                minimum=20,
                verified_until=None,
            )

    async def _look(self, runtime: Runtime, user: str, artwork: str) -> None:
        """What people ask, and what is asked where pairs have become legacy again."""
        await self._preview(runtime)
        pools, catalogue = runtime.settings.pools_spec(), runtime.catalogue
        async with _asked(runtime) as (connection, cutoffs):
            await take_user_census(connection, catalogue, pools, cutoffs, user)
            await read_pair(connection, catalogue, pools, cutoffs, user_id=user, artwork_id=artwork)
            control = await read_control(connection, runtime.state)
            await count_recurring(connection, runtime.healing, cutoffs, control)
        await self._list(runtime)

    async def _list(self, runtime: Runtime) -> None:
        """What a small heal is about, as if few artworks were incomplete; its pairs looked up."""
        pools, statements = runtime.settings.pools_spec(), runtime.healing
        # Not by the service, whose statements are all looked at.
        async with app_on(self._url) as app:
            few = [artwork for (artwork,) in await app.rows(_FEW)]
        async with _asked(runtime) as (connection, cutoffs):
            # Whichever of the two a table of this size gets.
            for form in {CensusForm.BY_ARTWORK} & {*exact_forms(runtime.catalogue)}:
                await take_census(connection, runtime.catalogue, pools, cutoffs, form=form)
            census = await take_census(connection, runtime.catalogue, pools, cutoffs)
            found = replace(census, incomplete=tuple(few), legacy_untracked=len(few))
            asked = (await read_control(connection, runtime.state), cutoffs.now)
            listed = await list_missing(connection, statements, found, *asked)
            assert listed is not None
            await still_missing(connection, statements, listed, *asked)

    async def _run_checks(self, runtime: Runtime, app: App) -> None:
        """The census and the other checks as the service takes them, after some views."""
        await app.run(_VIEWS)
        await self._sample(runtime)
        worker = WorkerPool()
        registry = registry_of(runtime.settings, runtime.engine, worker, CurrentRuntime(runtime))
        for check in registry.checks.values():
            if check.name != STRUCTURE:
                await registry.runner.run(check.definition, _confirm)
        await worker.close()

    async def _sample(self, runtime: Runtime) -> None:
        """Five minutes of the app, and the weeks before them. After a sample of now the check has
        none to take, which might have a run in it."""
        catalogue, pools = runtime.catalogue, runtime.settings.pools_spec()
        texts = queries.statements(catalogue, pools, runtime.state.state_schema)
        length = queries.SEED_LEAST
        async with _asked(runtime) as (connection, cutoffs):
            end = cutoffs.now - timedelta(hours=1)
            sample = await queries.take_sample(connection, texts, SampleInterval(end - length, end))
            await queries.read_seeds(connection, texts, end - length, length)
        newest = replace(sample, start=cutoffs.now - length, end=cutoffs.now)
        async with runtime.transaction() as connection:
            await keep_samples(connection, runtime.state, [newest])

    async def _keep_house(self, runtime: Runtime) -> None:
        for _ in range(2):
            await take_tally(runtime, appeared=True)
        await prune_tallies(runtime)
        await forget_erased(runtime, _confirm)
        await sweep_ledger(runtime, _confirm, seconds=1.0)

    async def _undo(self, runtime: Runtime, app: App) -> None:
        """The run that healed everybody, after that of one user; one row may not go."""
        await app.run(_STAYS)
        await previewed(runtime, 2)
        async with _asked(runtime) as (connection, _):
            await preflight(connection, runtime.healing)
        await runtime.executor(lambda _: None).work(await plan_undo(runtime, 2))
        async with transaction(runtime.engine, timeout=timedelta(seconds=10)) as connection:
            await resume(connection, runtime.state)


@asynccontextmanager
async def _asked(runtime: Runtime) -> AsyncIterator[tuple[AsyncConnection, Cutoffs]]:
    timeout = runtime.settings.database.statement_timeout
    async with snapshot(runtime.engine, timeout=timeout) as connection:
        pools = runtime.settings.pools_spec()
        yield connection, Cutoffs.at(await database_now(connection), pools)


def _frozen(kind: str, asked: str) -> str:
    return f"{_WHOLE.format(_VALUES[kind], asked)} WHERE f.n > 0"


async def _confirm(_: AsyncConnection) -> None:
    """This process may write."""


async def _run(app: App, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            await app.run(statement)
