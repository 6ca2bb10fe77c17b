"""The commands over the service's own tables: init, the kill switch, uninstall."""

from __future__ import annotations

from pathlib import Path

from monitor.demo.server import PostgresServer
from tests.support.commands import STATE, Workplace, gallery_at, on_one_server
from tests.support.databases import cloned

pytestmark = on_one_server


def drop_roles(work: Workplace) -> None:
    """Roles belong to the whole server and would outlive the test's database."""
    for role in ("conservator_service", "conservator_healer", "conservator_reader"):
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
    assert listed.words == "No heal run yet."
    assert program.json == {"runs": []}
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
            drop_roles(clone)


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
    assert work.run("init").code == 0
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
