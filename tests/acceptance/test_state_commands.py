"""The commands over the service's own tables: init, the kill switch, uninstall."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.commands import STATE, Workplace, gallery_at, on_one_server
from tests.support.databases import cloned
from tests.support.healing import drop_prepared_template, prepare_state
from tests.support.postgres import PostgresServer

pytestmark = on_one_server


def drop_roles(server: PostgresServer, work: Workplace) -> None:
    """Roles belong to the whole server and would outlive the test's database."""
    drop_prepared_template(server)
    for role in ("conservator_service", "conservator_healer", "conservator_reader"):
        if work.value("SELECT count(*) FROM pg_roles WHERE rolname = %(role)s", role=role):
            work.rows(f"DROP OWNED BY {role}")
            work.rows(f"DROP ROLE {role}")


async def test_init_creates_the_schema_once(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    missing = work.run("runs")
    assert missing.code == 1
    assert "conservator init" in missing.sentence
    assert f"{STATE} is now at revision" in work.run("init").words
    contents = work.contents()
    assert "was already at revision" in work.run("init").words
    assert work.contents() == contents
    listed, program, unknown = work.run_each("runs", "runs --json", "runs 7")
    assert listed.words == "No run yet."
    assert program.json == {"runs": [], "stopped": []}
    assert (unknown.code, "no run 7" in unknown.sentence) == (1, True)


async def test_the_printed_script_makes_the_schema_and_a_role_that_may_just_heal(
    server: PostgresServer, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    transaction = work.next_transaction()
    printed = work.run("init", "--print-sql")
    assert printed.code == 0
    assert work.next_transaction() == transaction
    name = work.url.partition("@/")[2].partition("?")[0]
    with cloned(server, name) as url:
        clone = Workplace(tmp_path, url)
        clone.rows(printed.out)
        clone.rows("CREATE ROLE conservator_service LOGIN IN ROLE conservator_healer")
        try:
            owner = clone.configure().run("init")
            assert "was already at revision" in owner.words
            healer = Workplace(tmp_path, url.replace("postgres@", "conservator_service@"))
            healer.configure()
            assert healer.run("doctor").code == 0
            healed = healer.run("heal", "--yes", "--json")
            assert healed.code == 0, healed
            assert healed.json["census"]["legacy_untracked"] == 0
            with healer.started("serve") as service:
                client = service.client()
                service.until(lambda: client.get("api/artworks/stats").status == 200)
                assert client.get("readyz").status == 200
                assert service.stop().code == 0
        finally:
            drop_roles(server, clone)


async def test_the_printed_script_runs_through_psql_for_an_owner_who_is_no_superuser(
    server: PostgresServer, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    drop_roles(server, work)
    work.rows("CREATE ROLE curator LOGIN CREATEROLE")
    name = work.value("SELECT current_database()")
    try:
        work.rows(f"ALTER DATABASE {name} OWNER TO curator")
        for table in ("users", "art_sessions", "user_art_impressions"):
            work.rows(f"ALTER TABLE {table} OWNER TO curator")
        work.rows("ALTER TABLE user_art_impressions ADD COLUMN seq serial")
        owner = Workplace(tmp_path, app_database_url.replace("postgres@", "curator@"))
        printed = owner.configure().run("init", "--print-sql")
        psql(server, owner, printed.out)
        assert "was already at revision" in owner.run("init").words
        owner.rows("CREATE ROLE conservator_service LOGIN IN ROLE conservator_healer")
        healer = Workplace(tmp_path, app_database_url.replace("postgres@", "conservator_service@"))
        healed = healer.configure().run("heal", "--yes", "--json")
        assert (healed.code, healed.err) == (0, "")
        undone = healer.run("undo", "1", "--yes", "--json")
        assert (undone.code, undone.err) == (0, "")
        # A second time it prints the grants alone, and harms nothing; without DELETE healing works.
        again = owner.configure().run("init", "--print-sql").out
        assert "CREATE TABLE" not in again
        psql(server, owner, again)
        [revoke] = [line for line in again.splitlines() if "REVOKE DELETE" in line]
        psql(server, owner, revoke.removeprefix("-- "))
        doctor, healed = healer.configure().run("doctor"), healer.run("heal", "--yes", "--json")
        assert "`undo` can't take them back" in doctor.words
        assert (healed.code, healed.json["run"]["state"]) == (0, "succeeded")
    finally:
        work.rows(f"ALTER DATABASE {name} OWNER TO postgres; REASSIGN OWNED BY curator TO postgres")
        drop_roles(server, work)
        work.rows("DROP OWNED BY curator; DROP ROLE curator")


def psql(server: PostgresServer, work: Workplace, script: str) -> None:
    """Run a script as a person would; its first error ends it."""
    command = [
        str(server.bin_dir / "psql"),
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        work.conninfo,
    ]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_role_that_may_not_create_is_told_who_must(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("CREATE ROLE onlooker LOGIN")
    work.rows("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker")
    try:
        url = app_database_url.replace("postgres@", "onlooker@")
        onlooker = Workplace(tmp_path, url).configure()
        checked, refused, doctor = onlooker.run_each("check census", "init", "doctor")
        assert (checked.code, refused.code, doctor.code) == (1, 1, 1)
        assert "`conservator init --print-sql`" in refused.err
        assert "GRANT INSERT" in doctor.words
    finally:
        work.rows("DROP OWNED BY onlooker; DROP ROLE onlooker")


async def test_the_kill_switch_works_even_when_the_tables_are_broken(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    await prepare_state(app_database_url)
    work.rows("ALTER TABLE art_sessions RENAME TO paintings")
    assert work.run("pause", "--reason", "the night shift looks").code == 0
    work.rows("ALTER TABLE paintings RENAME TO art_sessions")
    before = work.impressions()
    for refused in work.run_each("heal --yes", f"heal --yes --user {work.affected_user()}"):
        assert refused.code == 1
        assert "Paused: the night shift looks." in refused.sentence
        assert "`conservator resume`" in refused.sentence
    assert work.impressions() == before
    assert work.run("resume").code == 0
    assert work.run("heal", "--yes").code == 0
    assert work.impressions() > before


async def test_uninstall_shows_what_goes_and_keeps_the_impressions(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    assert work.run("heal", "--yes").code == 0
    impressions = work.impressions()
    asked = work.run("uninstall", stdin="n\n")
    assert asked.code == 1
    assert "backfilled_impression" in asked.words
    assert work.value("SELECT to_regnamespace(%(state)s) IS NOT NULL", state=STATE)
    gone = work.run("uninstall", "--yes", "--json")
    assert gone.code == 0
    assert "backfilled_impression" in {table["name"] for table in gone.json["tables"]}
    assert work.value("SELECT to_regnamespace(%(state)s) IS NULL", state=STATE)
    assert work.impressions() == impressions
    assert work.run("uninstall", "--yes").code == 1
