"""Row security: a gallery is counted, healed and undone where every row is certainly there for the
service's role, refused elsewhere, and what is narrowed meanwhile is noticed at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_catalogue
from checks.census import Census, take_census
from checks.doctor.findings import Blocks, Examination
from checks.errors import StatementError
from checks.row_security import SERVICE_ROLES, guard_of
from checks.spec import Cutoffs
from monitor.checking.replica import ReplicaRouter
from monitor.database import create_engine, snapshot, transaction
from monitor.healing.heal_strategy import HealStrategy
from monitor.loop.tallies import take_tally
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import Runtime
from monitor.state.runs import RunState
from monitor.state.schema import grants, service_row_security
from monitor.status import CENSUS, Status, StatusBoard
from tests.integration.doctor_help import Patient
from tests.support.app import App, app_on
from tests.support.guarded_gallery import APPS_ROLE, CATALOG, GUARDED, ORACLE, SPEC
from tests.support.healing import heal, make_runtime, paced, plan, planted, working
from tests.support.roles import SERVICE, as_service
from tests.support.services import service_on
from tests.support.undoing import undo
from tests.support.waiting import wait_until

TIMEOUT = timedelta(seconds=20)
NARROW = "joined_at > now() - interval '1 year'"
OPEN = "CREATE POLICY conservator ON {} TO conservator_healer USING (true)"
SIGHTINGS_OPEN = OPEN.format("sightings")
VISITORS_OPEN = OPEN.format("visitors")
HIDDEN = "Row security may hide rows"
REFUSED = "Row security would hide rows"


@pytest.fixture
def patient(database_url: str) -> Patient:
    made = Patient(database_url, spec=SPEC)
    made.run(GUARDED)
    return made


def found(examination: Examination) -> dict[str, str]:
    """The statements for each table that rows may be hidden of."""
    return {
        finding.subject: finding.statements
        for finding in examination.findings
        if finding.code == "row_security"
    }


async def census(runtime: Runtime) -> Census:
    async with snapshot(runtime.engine, timeout=TIMEOUT, rows=runtime.rows) as connection:
        return await counted(runtime, connection)


async def counted(runtime: Runtime, connection: AsyncConnection) -> Census:
    now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
    pools = runtime.settings.pools_spec()
    return await take_census(connection, runtime.catalogue, pools, Cutoffs.at(now, pools))


async def oracle(app: App) -> tuple[int, ...]:
    ((*counts,),) = await app.rows(ORACLE)
    return tuple(counts)


async def test_with_what_doctor_prints_the_gallery_is_counted_healed_and_undone(
    patient: Patient,
) -> None:
    before = await patient.examine(role=SERVICE)
    assert found(before) == {
        "visitors": 'CREATE POLICY "conservator_select" ON "public"."visitors" FOR SELECT TO'
        ' "conservator_reader", "conservator_healer" USING (true);',
        "sightings": 'CREATE POLICY "conservator" ON "public"."sightings" TO'
        ' "conservator_reader", "conservator_healer" USING (true) WITH CHECK (true);',
    }
    codes = {finding.code for finding in before.blocking(Blocks.COUNTING)}
    assert codes == {"row_security"}
    assert "BYPASSRLS" not in "".join(finding.mending for finding in before.findings)
    patient.run(*found(before).values())
    assert found(await patient.examine(role=SERVICE)) == {}
    async with app_on(patient.url) as app, make_runtime(patient.url, catalog=CATALOG) as runtime:
        assert (
            await app.value(f"SELECT rolbypassrls FROM pg_roles WHERE rolname = '{SERVICE}'")
            is False
        )
        rows, counts = await app.fingerprint("sightings"), await oracle(app)
        assert (await census(runtime)).counts == counts
        assert counts[3] > 0
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.inserted) == (RunState.SUCCEEDED, counts[3])
        assert await oracle(app) == (counts[0] + counts[3], counts[1], counts[2], 0)
        undone = await undo(runtime, healed.run.id)
        assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, counts[3])
        assert await app.fingerprint("sightings") == rows


@pytest.mark.parametrize(
    ("change", "tables"),
    [
        (f"CREATE POLICY part ON visitors FOR SELECT TO conservator_healer USING ({NARROW})", 1),
        (f"CREATE POLICY part ON visitors TO PUBLIC USING ({NARROW} OR id > 0)", 1),
        ("CREATE POLICY all_rows ON visitors FOR UPDATE TO conservator_healer USING (true)", 1),
        (
            f"{VISITORS_OPEN};"
            "CREATE POLICY less ON visitors AS RESTRICTIVE TO PUBLIC USING (id > 0)",
            1,
        ),
        (VISITORS_OPEN, 0),
        (f"CREATE POLICY conservator ON visitors TO {SERVICE} USING (true)", 0),
        ("ALTER TABLE visitors DISABLE ROW LEVEL SECURITY", 0),
        (f"ALTER TABLE visitors OWNER TO {SERVICE}", 0),
        (
            f"ALTER TABLE visitors OWNER TO {SERVICE};"
            "ALTER TABLE visitors FORCE ROW LEVEL SECURITY",
            1,
        ),
    ],
)
async def test_only_what_certainly_shows_every_row_is_accepted(
    patient: Patient, change: str, tables: int
) -> None:
    """Even where the others happen to show them all."""
    patient.run(SIGHTINGS_OPEN)
    patient.run(*change.split(";"))
    assert len(found(await patient.examine(role=SERVICE))) == tables


async def test_a_policy_is_proposed_for_the_services_role_alone(patient: Patient) -> None:
    """For the app's own it would open every row to the app."""
    patient.run(
        "ALTER TABLE visitors FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE visitors OWNER TO {APPS_ROLE}",
    )
    as_app = await patient.examine(role=APPS_ROLE)
    assert found(as_app) == {"visitors": "", "sightings": ""}
    for finding in as_app.findings:
        if finding.code == "row_security":
            assert "a role of the service's own" in finding.mending
            assert "CREATE POLICY" not in finding.mending
            assert "ALTER ROLE" not in finding.mending
    patient.run(
        "CREATE ROLE anybody",
        "GRANT SELECT ON visitors, artworks, sightings TO anybody",
    )
    try:
        statements = found(await patient.examine(role="anybody"))
        assert all('TO "anybody" USING (true)' in text for text in statements.values())
        assert all("if anybody is the service's own" in text for text in statements.values())
    finally:
        patient.run("DROP OWNED BY anybody", "DROP ROLE anybody")


async def test_a_policy_that_is_there_already_keeps_its_name(patient: Patient) -> None:
    patient.run(
        "CREATE POLICY conservator_select ON visitors FOR SELECT TO conservator_healer"
        f" USING ({NARROW})"
    )
    statements = found(await patient.examine(role=SERVICE))
    assert '"conservator_select_2"' in statements["visitors"]
    patient.run(*statements.values())
    assert found(await patient.examine(role=SERVICE)) == {}


async def test_what_writing_lacks_blocks_healing_and_what_undo_lacks_is_told(
    patient: Patient,
) -> None:
    patient.run(
        "CREATE POLICY conservator ON visitors FOR SELECT TO conservator_healer USING (true)",
        "CREATE POLICY conservator ON sightings FOR SELECT TO conservator_healer USING (true)",
    )
    lacks_both = await patient.examine(role=SERVICE)
    assert lacks_both.blocking(Blocks.COUNTING) == ()
    (text,) = found(lacks_both).values()
    insert, delete = text.splitlines()
    assert "FOR INSERT" in insert
    patient.run(insert)
    lacks_delete = await patient.examine(role=SERVICE)
    assert list(found(lacks_delete)) == ["sightings"]
    assert "row_security" not in {finding.code for finding in lacks_delete.blocking()}
    patient.run(delete)
    assert found(await patient.examine(role=SERVICE)) == {}


async def test_a_view_is_followed_to_its_tables_with_the_rights_that_read_them(
    patient: Patient,
) -> None:
    patient.run(
        SIGHTINGS_OPEN,
        "CREATE VIEW people AS SELECT * FROM visitors",
        "CREATE VIEW members AS SELECT * FROM people",
        "GRANT SELECT ON people, members TO conservator_healer",
    )
    spec = replace(SPEC, users=replace(SPEC.users, table="members"))
    viewing = replace(patient, spec=spec)
    assert found(await viewing.examine(role=SERVICE)) == {}  # the superuser's views
    patient.run(f"ALTER VIEW people OWNER TO {APPS_ROLE}")
    hidden = await viewing.examine(role=SERVICE)
    assert found(hidden) == {"members": ""}
    assert f"applies to role {APPS_ROLE}" in "".join(one.problem for one in hidden.findings)
    assert "security_invoker" in "".join(one.mending for one in hidden.findings)
    patient.run("ALTER VIEW people SET (security_invoker = on)")
    statements = found(await viewing.examine(role=SERVICE))
    assert '"public"."visitors"' in statements["members"]
    patient.run(*statements.values())
    assert found(await viewing.examine(role=SERVICE)) == {}


async def test_another_guarded_table_that_a_filter_reads_is_refused_or_opened(
    patient: Patient,
) -> None:
    patient.run(
        "CREATE TABLE cards (id int)",
        "ALTER TABLE cards ENABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON cards TO conservator_healer",
    )
    where = "id IN (SELECT id FROM cards)"
    spec = replace(SPEC, users=replace(SPEC.users, where=where))
    filtering = replace(patient, spec=spec)
    for change in (
        f"{VISITORS_OPEN};{SIGHTINGS_OPEN}",
        "ALTER TABLE visitors DISABLE ROW LEVEL SECURITY;"
        "ALTER TABLE artworks DISABLE ROW LEVEL SECURITY;"
        "ALTER TABLE sightings DISABLE ROW LEVEL SECURITY",
    ):
        patient.run(*change.split(";"))
        statements = found(await filtering.examine(role=SERVICE))
        assert list(statements) == ["public.cards"]
        patient.run(statements["public.cards"])
        assert (await filtering.examine(role=SERVICE)).blocking(Blocks.COUNTING) == ()
        patient.run("DROP POLICY conservator_select ON cards")
    patient.run("ALTER TABLE cards DISABLE ROW LEVEL SECURITY")
    assert (await filtering.examine(role=SERVICE)).blocking(Blocks.COUNTING) == ()


@asynccontextmanager
async def guarded(patient: Patient, **config: object) -> AsyncIterator[tuple[App, Runtime]]:
    """Accepted by its policies, for the service's role."""
    async with (
        app_on(patient.url) as app,
        make_runtime(patient.url, catalog=CATALOG, **config) as runtime,
    ):
        assert not runtime.rows.off
        yield app, runtime


@asynccontextmanager
async def unguarded(url: str) -> AsyncIterator[tuple[App, Runtime]]:
    """Without row security yet, so that off holds."""
    async with planted(url, users=5, artworks=6) as (app, runtime):
        assert runtime.rows.off
        yield app, runtime


async def assert_noticed(app: App, runtime: Runtime, change: str, says: str, table: str) -> None:
    """The next count, plan, batch, sweep and tally all say so, and nothing is written."""
    healed = await heal(runtime, max_rows=5)
    run = await plan(runtime)
    await app.run(change)
    kept = await app.fingerprint(table, "conservator.backfilled_impression")
    with pytest.raises(StatementError, match=says):
        await census(runtime)
    with pytest.raises(StatementError, match=says):
        await take_tally(runtime)
    for forget in (forget_erased, sweep_ledger):
        with pytest.raises(StatementError, match=says):
            await forget(runtime, _agree)
    failed = await runtime.executor(lambda _: None).work(run)
    assert (failed.run.state, failed.run.batches) == (RunState.FAILED, 0)
    assert says in failed.run.outcome
    assert "conservator doctor" in failed.run.outcome
    with pytest.raises(StatementError, match=says):
        await plan(runtime)
    with pytest.raises(StatementError, match=says):
        await undo(runtime, healed.run.id)
    assert await app.fingerprint(table, "conservator.backfilled_impression") == kept


async def _agree(_: AsyncConnection) -> None:
    """Leads."""


@pytest.mark.parametrize(
    "change",
    [
        f"ALTER POLICY conservator_select ON visitors USING ({NARROW})",
        "CREATE POLICY less ON sightings AS RESTRICTIVE FOR SELECT USING (visitor_id > 1)",
        "DROP POLICY everybodys ON artworks",
    ],
)
async def test_a_policy_that_is_narrowed_meanwhile_is_noticed_at_once(
    patient: Patient, change: str
) -> None:
    async with guarded(patient) as (app, runtime):
        await assert_noticed(app, runtime, change, HIDDEN, "sightings")


async def test_row_security_that_is_switched_on_meanwhile_is_noticed_at_once(
    app_database_url: str,
) -> None:
    async with unguarded(app_database_url) as (app, runtime):
        change = (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
            "ALTER TABLE user_art_impressions ENABLE ROW LEVEL SECURITY"
        )
        await assert_noticed(app, runtime, change, REFUSED, "user_art_impressions")


async def test_a_batch_that_has_begun_is_not_committed_once_a_policy_was_narrowed(
    patient: Patient,
) -> None:
    """The proof is read again at the end, when what was read holds its locks."""
    async with guarded(patient) as (app, runtime):
        rows = guard_of(runtime.catalogue, writes=True)
        with pytest.raises(StatementError, match=HIDDEN):
            async with transaction(runtime.engine, rows=rows) as connection:
                await app.run("DROP POLICY conservator_select ON visitors")
                await connection.exec_driver_sql(
                    "INSERT INTO sightings (visitor_id, artwork_id) VALUES (8, 20)"
                )
        assert await app.value("SELECT count(*) FROM sightings WHERE visitor_id = 8") == 0


async def test_a_pair_that_is_asked_for_singly_is_not_passed_over_once_a_policy_was_narrowed(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement that looks for it begins after the change, and sees no row any more."""
    ask = HealStrategy._next_pair

    async def narrow_and_ask(*asked: Any) -> Any:
        await app.run("DROP POLICY conservator_select ON visitors")
        return await ask(*asked)

    monkeypatch.setattr(HealStrategy, "_next_pair", narrow_and_ask)
    async with guarded(patient, **paced(1)) as (app, runtime):
        run = await plan(runtime)
        failed = await working(runtime, run)
        assert (failed.run.state, failed.run.batches) == (RunState.FAILED, 0)
        assert HIDDEN in failed.run.outcome
        books = "SELECT position, artwork_cursor IS NULL FROM conservator.run WHERE id = %(id)s"
        assert await app.rows(books, id=run.id) == [(0, True)]


async def test_a_count_is_not_believed_whose_policy_was_narrowed_before_its_first_row(
    patient: Patient,
) -> None:
    """Its snapshot still shows the policy as it was."""
    async with guarded(patient) as (app, runtime):
        with pytest.raises(StatementError, match=HIDDEN):
            async with snapshot(runtime.engine, timeout=TIMEOUT, rows=runtime.rows) as connection:
                await app.run("DROP POLICY conservator_select ON visitors")
                seen = await connection.exec_driver_sql("SELECT count(*) FROM visitors")
                assert seen.scalar_one() == 0


async def test_a_service_that_runs_says_so_in_the_next_census_and_heals_nothing(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        async with service_on(app_database_url, threshold=1000) as service:
            await wait_until(lambda: service.board.current.census is not None)
            await app.run("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
            await wait_until(lambda: REFUSED in service.board.current.checks[CENSUS].message)
            before = await app.fingerprint("user_art_impressions")
            with pytest.raises(StatementError, match=REFUSED):
                await service.commands.backfill_user("u0001", force=False)
            with pytest.raises(StatementError, match=REFUSED):
                await service.commands.user_census("u0001")
            assert await app.value("SELECT count(*) FROM conservator.run") == 0
            await app.run("ALTER TABLE users DISABLE ROW LEVEL SECURITY")
            await wait_until(lambda: REFUSED not in service.board.current.checks[CENSUS].message)
        assert await app.fingerprint("user_art_impressions") == before


async def test_nothing_stays_in_the_session(patient: Patient) -> None:
    """As PgBouncer in transaction mode wants it."""
    async with guarded(patient) as (_, runtime):
        off, proven = replace(runtime.rows, off=True), runtime.rows
        engine = create_engine(as_service(patient.url), pool_size=1)
        try:
            for rows in (off, proven):
                async with snapshot(engine, timeout=TIMEOUT, rows=rows) as connection:
                    shown = await connection.exec_driver_sql("SHOW row_security")
                    assert shown.scalar_one() == ("off" if rows.off else "on")
                async with transaction(engine) as connection:
                    shown = await connection.exec_driver_sql("SHOW row_security")
                    assert shown.scalar_one() == "on"
        finally:
            await engine.dispose()


async def test_a_trigger_of_the_app_may_use_tables_of_its_own(patient: Patient) -> None:
    """What it writes is the app's business: batches prove, and switch nothing off."""
    patient.run(
        "ALTER TABLE visitors DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE artworks DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE sightings DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE audit (sighting uuid)",
        "ALTER TABLE audit ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY anybody ON audit USING (true)",
        "GRANT INSERT ON audit TO conservator_healer",
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN INSERT INTO audit VALUES (new.id); RETURN new; END $$",
        "CREATE TRIGGER audit AFTER INSERT ON sightings FOR EACH ROW EXECUTE FUNCTION audit()",
    )
    async with app_on(patient.url) as app, make_runtime(patient.url, catalog=CATALOG) as runtime:
        assert runtime.rows.off
        healed = await heal(runtime)
        assert healed.run.state is RunState.SUCCEEDED
        assert await app.value("SELECT count(*) FROM audit") == healed.run.inserted > 0


async def test_what_another_role_reads_on_the_replica_is_proven_for_that_role(
    patient: Patient,
) -> None:
    reader = make_url(patient.url).set(username="watching_of_tests")
    patient.run(
        "DO $$ BEGIN IF to_regrole('watching_of_tests') IS NULL"
        " THEN CREATE ROLE watching_of_tests LOGIN; END IF; END $$",
        "GRANT SELECT ON visitors, artworks, sightings TO watching_of_tests",
    )
    primary = create_engine(patient.url, pool_size=2)
    replica = create_engine(reader.render_as_string(hide_password=False), pool_size=2)
    board = StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))
    router = ReplicaRouter(primary, replica, board, max_lag=TIMEOUT)

    async def count(connection: AsyncConnection, _: datetime) -> int:
        result = await connection.exec_driver_sql("SELECT count(*) FROM visitors")
        return int(result.scalar_one())

    try:
        async with snapshot(primary, timeout=TIMEOUT) as connection:
            rows = guard_of((await read_catalogue(connection, SPEC)).require())
        assert rows.off
        with pytest.raises(StatementError, match="watching_of_tests"):
            await router.read(count, timeout=TIMEOUT, rows=rows)
        patient.run(
            "CREATE POLICY watch ON visitors FOR SELECT TO watching_of_tests USING (true)",
            "CREATE POLICY watch ON sightings FOR SELECT TO watching_of_tests USING (true)",
        )
        assert await router.read(count, timeout=TIMEOUT, rows=rows) == (8, "")
    finally:
        await primary.dispose()
        await replica.dispose()
        patient.run("DROP OWNED BY watching_of_tests", "DROP ROLE watching_of_tests")


async def test_the_script_of_init_prints_the_policies_that_its_roles_lack(patient: Patient) -> None:
    async with make_runtime(patient.url, catalog=CATALOG):
        pass  # as `init --print-sql | psql` by the owner, and then the service's role is accepted
    assert SERVICE_ROLES == ("conservator_reader", "conservator_healer")
    policies = await _policies(patient)
    assert policies == [
        ("artworks", "everybodys", "r", "-"),
        ("sightings", "conservator", "*", "conservator_healer,conservator_reader"),
        ("visitors", "conservator_select", "r", "conservator_healer,conservator_reader"),
    ]


async def test_what_lists_the_pairs_and_what_a_filter_reads_is_opened_and_guarded_too(
    patient: Patient,
) -> None:
    tables = ("cards", "shelves")
    patient.run(
        "CREATE TABLE cards AS SELECT id FROM visitors",
        "CREATE TABLE shelves AS SELECT v.id AS visitor_id, a.id AS artwork_id"
        " FROM visitors AS v, artworks AS a",
        *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in tables),
    )
    catalog = {
        **CATALOG,
        "users": {"table": "visitors", "where": "id IN (SELECT id FROM cards)"},
        "pairs": {"through": {"table": "shelves", "user": "visitor_id", "artwork": "artwork_id"}},
    }
    async with make_runtime(patient.url, catalog=catalog) as runtime, app_on(patient.url) as app:
        roles = "conservator_healer,conservator_reader"
        opened = [row for row in await _policies(patient) if row[0] in tables]
        assert opened == [(table, "conservator_select", "r", roles) for table in tables]
        async with snapshot(runtime.engine, timeout=TIMEOUT, rows=runtime.rows) as connection:
            for table in tables:
                count = await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
                assert count.scalar_one() > 0
        for table in tables:
            await app.run(f"ALTER POLICY conservator_select ON {table} USING (false)")
            with pytest.raises(StatementError, match=f"{HIDDEN} of public.{table}"):
                async with snapshot(runtime.engine, timeout=TIMEOUT, rows=runtime.rows):
                    pass
            await app.run(f"ALTER POLICY conservator_select ON {table} USING (true)")


async def test_the_script_says_where_no_policy_helps(patient: Patient) -> None:
    patient.run(
        "CREATE VIEW people AS SELECT * FROM visitors",
        f"ALTER VIEW people OWNER TO {APPS_ROLE}",
        'CREATE POLICY "on show\nonly" ON artworks AS RESTRICTIVE USING (on_show)',
        "CREATE POLICY service ON sightings FOR SELECT TO conservator_healer USING (true)",
    )
    engine = create_engine(patient.url, pool_size=1)
    try:
        async with snapshot(engine, timeout=TIMEOUT) as connection:
            spec = replace(SPEC, users=replace(SPEC.users, table="people"))
            catalogue = (await read_catalogue(connection, spec)).require()
            lacking = await service_row_security(connection, catalogue)
    finally:
        await engine.dispose()
    script = grants(catalogue, "conservator", (), lacking)
    _, _, policies = script.partition("stays as it is.\n")
    artworks, first, second, third, people, *_ = policies.splitlines()
    assert artworks.startswith("-- public.artworks: no policy can overrule the restrictive on show")
    assert 'SELECT TO "conservator_reader" USING (true)' in first
    assert 'INSERT TO "conservator_healer" WITH CHECK (true)' in second
    assert 'DELETE TO "conservator_healer" USING (true)' in third
    assert people.startswith(f"-- people reads public.visitors as {APPS_ROLE}.")


async def _policies(patient: Patient) -> list[tuple[object, ...]]:
    async with app_on(patient.url) as app:
        return await app.rows(
            "SELECT polrelid::regclass::text, polname::text, polcmd::text,"
            " (SELECT string_agg(r::regrole::text, ',' ORDER BY r::regrole::text)"
            "  FROM unnest(polroles) AS r)"
            " FROM pg_policy WHERE polname ~ '^conservator|everybodys' ORDER BY 1"
        )
