"""Healing as a role that may do what `init --print-sql` grants, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from checks.catalogue import read_catalogue
from checks.row_security import HEALER
from monitor.config import Settings
from monitor.database import create_engine, snapshot
from monitor.run_tools import grants_of_repairs
from monitor.service.startup import ensure_schema
from monitor.state.schema import grants, impression_sequences, service_row_security
from monitor.state.statements import StateStatements
from tests.support.app import App, conninfo

OWNER = "postgres"
"""Owns the tables of every test; whoever else is in a URL is what its test is about."""
SERVICE = "conservator_service_of_tests"
WATCHER = "conservator_watcher_of_tests"
"""The same role with pg_monitor, which sees how far the replicas are."""

_MAKE = sql.SQL("""
DO $$ BEGIN
    IF to_regrole({service_name}) IS NULL THEN CREATE ROLE {service} LOGIN; END IF;
    IF to_regrole({watcher_name}) IS NULL THEN CREATE ROLE {watcher} LOGIN; END IF;
END $$;
GRANT {healer} TO {service}, {watcher};
GRANT pg_monitor TO {watcher};
""").format(
    service_name=sql.Literal(SERVICE),
    service=sql.Identifier(SERVICE),
    watcher_name=sql.Literal(WATCHER),
    watcher=sql.Identifier(WATCHER),
    healer=sql.Identifier(HEALER),
)

# Whoever changes a table, a privilege or a role leaves a new version of a row of the catalogues;
# a database made from a template has the template's versions.
_VERSIONS = """
SELECT md5(string_agg(one, ' ' ORDER BY one)) FROM (
    SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute
        WHERE attrelid >= 16384
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_namespace
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_constraint
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_attrdef
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_trigger
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_rewrite WHERE oid >= 16384
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_policy
    UNION ALL SELECT tableoid || ' ' || oid || ' ' || xmin FROM pg_default_acl
    UNION ALL SELECT inhrelid || ' ' || inhparent || ' ' || xmin FROM pg_inherits
    UNION ALL SELECT r::text FROM pg_roles AS r WHERE rolname LIKE 'conservator%'
    UNION ALL SELECT m::text FROM pg_auth_members AS m
        WHERE pg_get_userbyid(member) LIKE 'conservator%'
    UNION ALL SELECT 'database ' || coalesce(datacl::text, '') FROM pg_database
        WHERE datname = current_database()
    UNION ALL SELECT 'setting ' || s.setrole || s.setconfig::text FROM pg_db_role_setting AS s
        JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = current_database()
) AS versions (one)
"""
_prepared: set[tuple[str, ...]] = set()
"""What `prepare_for_service` has left behind: server, settings, and versions of the catalogues."""


def as_service(url: str, *, watches: bool = False) -> str:
    """The same database for the least-privileged role, or for the one that sees replicas, too."""
    role = WATCHER if watches else SERVICE
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def make_service_role(url: str, *groups: str) -> None:
    """What the superuser of a server does once: the groups, and the roles that are in them."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        for group in groups:
            if connection.execute("SELECT to_regrole(%s)", [group]).fetchone() == (None,):
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(group)))
        connection.execute(_MAKE)


async def prepare_for_service(settings: Settings) -> None:
    """What an owner does before the service starts: makes the state schema, runs the grants.

    Nothing where all is as that has left it, in this database or in the template of this one.
    """
    if await _identity(settings) in _prepared:
        return
    schema, timeout = settings.database.state_schema, settings.database.statement_timeout
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        # Not the whole examination: the service makes that itself, as the role that it is.
        async with snapshot(engine, timeout=timeout) as connection:
            catalogue = (await read_catalogue(connection, settings.catalog_spec())).require()
            sequences = await impression_sequences(connection, catalogue)
            row_security = await service_row_security(connection, catalogue)
        repairs = await grants_of_repairs(engine, settings)
        await ensure_schema(engine, StateStatements(catalogue, settings.pools_spec(), schema))
    finally:
        await engine.dispose()
    script = grants(catalogue, schema, sequences, row_security, repairs)
    # Nothing at start-up that PgBouncer refuses.
    dsn = conninfo(settings.database.sqlalchemy_url)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as owner:
        await owner.execute(script.encode())
        await owner.execute(_MAKE)
    _prepared.add(await _identity(settings))


async def _identity(settings: Settings) -> tuple[str, ...]:
    """The server, what is prepared there, and what the database's catalogues are by now."""
    url, schema = settings.database.sqlalchemy_url, settings.database.state_schema
    revision = sql.SQL("SELECT version_num FROM {}").format(
        sql.Identifier(schema, "schema_version")
    )
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as owner:
        found = [await (await owner.execute(_VERSIONS.encode())).fetchone()]
        with suppress(psycopg.errors.UndefinedTable):
            found += await (await owner.execute(revision)).fetchall()
    server = make_url(url).set(database="any")
    return (str(server), repr(settings.catalog), repr(settings.pools), schema, repr(found))


_HEALER = """
CREATE ROLE "Healer" LOGIN;
GRANT SELECT ON users, art_sessions, user_art_impressions TO "Healer";
GRANT INSERT ON user_art_impressions TO "Healer";
"""


@asynccontextmanager
async def may_heal(url: str, app: App) -> AsyncIterator[str]:
    """The URL for a role that may heal, and nothing more."""
    parsed = make_url(url)
    await app.run(_HEALER + f'GRANT CREATE ON DATABASE "{parsed.database}" TO "Healer"')
    try:
        yield parsed.set(username="Healer").render_as_string(hide_password=False)
    finally:
        await app.run('DROP OWNED BY "Healer" CASCADE; DROP ROLE "Healer"')
