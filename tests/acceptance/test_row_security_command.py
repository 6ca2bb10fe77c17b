"""Row security on the command line: the owner's script is all that a service needs."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.test_state_commands import drop_roles
from tests.support.commands import Workplace, on_one_server
from tests.support.guarded_gallery import CATALOG, GUARDED, ORACLE
from tests.support.postgres import PostgresServer

pytestmark = on_one_server


def test_the_owners_script_lets_the_service_count_and_heal(
    server: PostgresServer, database_url: str, tmp_path: Path
) -> None:
    """Even of an owner who is subject to row security, too."""
    work = Workplace(tmp_path, database_url)
    work.rows(GUARDED)
    work.rows(
        "DROP OWNED BY conservator_reader, conservator_healer; CREATE ROLE keeper LOGIN;"
        "ALTER TABLE visitors OWNER TO keeper; ALTER TABLE visitors FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE artworks OWNER TO keeper; ALTER TABLE sightings OWNER TO keeper;"
        f"GRANT CREATE ON DATABASE {work.value('SELECT current_database()')} TO keeper"
    )
    work.rows("CREATE ROLE conservator_service LOGIN IN ROLE conservator_healer")
    try:
        owner = Workplace(tmp_path, database_url.replace("postgres@", "keeper@"))
        refused = owner.configure(catalog=CATALOG).run("doctor")
        assert refused.code == 1
        assert "CREATE POLICY" not in refused.out
        printed = owner.run("init", "--print-sql")
        assert printed.code == 0, printed
        assert "Row security is on" in printed.out
        assert printed.out.count("CREATE POLICY") == 2
        owner.rows(printed.out)
        assert "CREATE POLICY" not in owner.run("init", "--print-sql").out
        healer = Workplace(tmp_path, database_url.replace("postgres@", "conservator_service@"))
        healer.configure(catalog=CATALOG)
        assert healer.run("doctor").code == 0
        (before,) = work.rows(ORACLE)
        healed = healer.run("heal", "--yes", "--json")
        assert healed.code == 0, healed
        assert healed.json["run"]["inserted"] == before[3] > 0
        work.rows("ALTER POLICY conservator_select ON visitors USING (id > 0)")
        narrowed = healer.run("check", "census")
        assert narrowed.code == 3
        assert "Row security applies to role conservator_service" in narrowed.words
    finally:
        drop_roles(server, work)
        work.rows("DROP OWNED BY keeper CASCADE; DROP ROLE keeper")
