"""Databases shaped as other apps shape theirs (`tests/galleries`), and what is right to count.

Each is loaded once into a server; tests work on clones of it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from tests.support.app import conninfo
from tests.support.databases import EMPTY, cloned, create_database, execute
from tests.support.oracle import Counts
from tests.support.postgres import PostgresServer

FOLDER = Path(__file__).parents[1] / "galleries"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.sql") if "." not in path.stem))
OWNER = "gallery_owner"
"""Owns a gallery's database and what is in it, and is nobody special."""
FRESH_FOR = "4h"
"""For `pools.fresh_for`: the counts stay as they are for almost so long."""
POOLS = {"fresh_for": FRESH_FOR}

COUNTS = """
SELECT
    count(*) FILTER (WHERE seen),
    count(*) FILTER (WHERE NOT seen AND created > now() - interval '{fresh_for}'),
    count(*) FILTER (WHERE NOT seen AND created <= now() - interval '{fresh_for}'
        AND created > now() - interval '7 days'),
    count(*) FILTER (WHERE NOT seen AND created <= now() - interval '7 days')
FROM ({pairs}) AS p
"""
_APP_TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_|conservator)'
"""
# The sum of the rows' hashes: the same for the same rows in any order, each as often.
_DIGEST = "SELECT coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {} AS t"
_ROLES = sql.SQL("""
DO $$ BEGIN
    IF to_regrole('gallery_app') IS NULL THEN CREATE ROLE gallery_app; END IF;
    IF to_regrole({name}) IS NULL THEN CREATE ROLE {owner} LOGIN; END IF;
END $$
""").format(name=sql.Literal(OWNER), owner=sql.Identifier(OWNER))
_OWN = sql.SQL("ALTER DATABASE {} OWNER TO {}")
_SETTINGS = """
SELECT split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)
FROM pg_db_role_setting AS s, unnest(s.setconfig) AS one
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = %s) AND s.setrole = 0
"""
_loaded: set[tuple[Path, str]] = set()


@dataclass(frozen=True)
class StrangerGallery:
    """A gallery in a database of the test's own."""

    name: str
    url: str

    @property
    def owner_url(self) -> str:
        """The database as its owner reaches it; `url` is a superuser's."""
        return make_url(self.url).set(username=OWNER).render_as_string(hide_password=False)

    @cached_property
    def naive(self) -> dict[str, Any]:
        """The `catalog` that a new user would write first."""
        return documents(f"{self.name}.naive")[0]

    def counts(self, only: str = "true") -> Counts:
        """Tracked, fresh, storage, legacy_untracked as the app itself sees them; `only`: of the
        pairs `(u, a, created, seen)` for which this SQL condition holds."""
        chosen = f"SELECT * FROM ({self.pairs}) AS every WHERE {only}"
        [(tracked, fresh, storage, legacy)] = self.rows(
            COUNTS.format(fresh_for=FRESH_FOR, pairs=chosen)
        )
        return tracked, fresh, storage, legacy

    @property
    def pairs(self) -> str:
        """The SELECT of the pairs `(u, a, created, seen)`."""
        return (FOLDER / f"{self.name}.pairs.sql").read_text()

    def contents(self) -> dict[str, str]:
        """A digest of every table of the app: the same as long as the rows are."""
        return {
            table: self.rows(_DIGEST.format(table))[0][0] for (table,) in self.rows(_APP_TABLES)
        }

    def run(self, script: str) -> None:
        """Run statements as the tables' owner."""
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            connection.execute(script.encode())

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


def documents(stem: str) -> list[dict[str, Any]]:
    """The `catalog` of each document in a YAML file of the galleries."""
    text = (FOLDER / f"{stem}.yaml").read_text()
    return [document["catalog"] for document in yaml.safe_load_all(text)]


@contextmanager
def stranger_gallery(server: PostgresServer, name: str) -> Iterator[StrangerGallery]:
    """A clone of the gallery, dropped in the end."""
    template = _template(server, name)
    with psycopg.connect(server.conninfo()) as connection:
        settings = connection.execute(_SETTINGS, [template]).fetchall()
    with cloned(server, template) as url:
        database = make_url(url).database or ""
        execute(server, _OWN.format(sql.Identifier(database), sql.Identifier(OWNER)))
        for setting, value in settings:  # which a clone does not inherit
            execute(
                server,
                sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                    sql.Identifier(database), sql.Identifier(setting), sql.Literal(value)
                ),
            )
        yield StrangerGallery(name, url)


def _template(server: PostgresServer, name: str) -> str:
    template = f"gallery_{name}"
    key = (server.socket_dir, name)
    if key not in _loaded:
        create_database(server, template, EMPTY)
        execute(server, _ROLES)
        execute(server, _OWN.format(sql.Identifier(template), sql.Identifier(OWNER)))
        _load(server, template, FOLDER / f"{name}.sql")
        _loaded.add(key)
    return template


def _load(server: PostgresServer, database: str, script: Path) -> None:
    """By psql, as the app would: a transaction a statement, so that no two moments are the same.

    In UTC, because ages are counted back from now in days: not across a change of the clocks.
    """
    program = [str(server.bin_dir / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
    subprocess.run(
        [*program, "-d", make_conninfo(server.conninfo(database), user=OWNER), "-f", str(script)],
        check=True,
        timeout=60,
        env={**os.environ, "PGTZ": "UTC"},
    )
