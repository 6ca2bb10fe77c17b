"""The proof of row security against PostgreSQL itself, for any policies, roles and views: what is
accepted the role really sees, and what is exempt is what `off` does not refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import row_security
from checks.relations import Command, RowSecurity
from tests.support.app import conninfo
from tests.support.databases import EMPTY, cloned
from tests.support.generated import examples
from tests.support.postgres import PostgresServer

ROLES = """
DO $$ BEGIN
    IF to_regrole('proof_reader') IS NULL THEN
        CREATE ROLE proof_reader; CREATE ROLE proof_group; CREATE ROLE proof_club;
        CREATE ROLE proof_other;
    END IF;
END $$;
GRANT proof_group TO proof_reader;
"""
NOT_INHERITED = "GRANT proof_club TO proof_reader WITH INHERIT FALSE"  # since PostgreSQL 16
TABLES = """
CREATE TABLE rows (id int, tenant int);
INSERT INTO rows SELECT n, n % 3 FROM generate_series(1, 9) AS n;
CREATE TABLE parts (id int, tenant int) PARTITION BY LIST (tenant);
CREATE TABLE part PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT * FROM rows;
GRANT ALL ON SCHEMA public TO PUBLIC;
"""
HIDES = "tenant = 1"
EXPRESSIONS = ("true", "true", HIDES, "false", "id > 0")
NAMED = ("PUBLIC", "proof_reader", "proof_group", "proof_club", "proof_other")
OWNERS = ("postgres", "proof_reader", "proof_group", "proof_club", "proof_other")


@dataclass(frozen=True)
class Policy:
    permissive: bool
    command: str
    role: str
    using: str
    check: str | None

    def statement(self, number: int, table: str) -> str:
        clauses = []
        if self.command != "INSERT":
            clauses.append(f"USING ({self.using})")
        if self.command in {"ALL", "INSERT", "UPDATE"} and self.check is not None:
            clauses.append(f"WITH CHECK ({self.check})")
        kind = "PERMISSIVE" if self.permissive else "RESTRICTIVE"
        return (
            f"CREATE POLICY p{number} ON {table} AS {kind} FOR {self.command} TO {self.role} "
            + " ".join(clauses)
        )


@dataclass(frozen=True)
class Situation:
    """A table with row security, and how it is read."""

    table: str
    policies: tuple[Policy, ...]
    enabled: bool
    forced: bool
    bypasses: bool
    owner: str
    views: tuple[tuple[str, bool], ...]
    """Owner, and whether it is security_invoker, from the table outwards."""

    @property
    def read(self) -> str:
        return f"v{len(self.views)}" if self.views else self.table

    def statements(self) -> Iterator[str]:
        yield f"GRANT ALL ON {self.table} TO PUBLIC"
        for number, policy in enumerate(self.policies):
            yield policy.statement(number, self.table)
        if self.enabled:
            yield f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY"
        if self.forced:
            yield f"ALTER TABLE {self.table} FORCE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {self.table} OWNER TO {self.owner}"
        if self.bypasses:
            yield "ALTER ROLE proof_reader BYPASSRLS"
        below = self.table
        for number, (owner, invoker) in enumerate(self.views, 1):
            option = "WITH (security_invoker)" if invoker else ""
            yield f"CREATE VIEW v{number} {option} AS SELECT id, tenant FROM {below}"
            yield f"GRANT ALL ON v{number} TO PUBLIC"
            yield f"ALTER VIEW v{number} OWNER TO {owner}"
            below = f"v{number}"


policies = st.builds(
    Policy,
    permissive=st.sampled_from((True, True, True, False)),
    command=st.sampled_from(("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")),
    role=st.sampled_from(NAMED),
    using=st.sampled_from(EXPRESSIONS),
    check=st.none() | st.sampled_from(EXPRESSIONS),
).filter(lambda one: one.command != "INSERT" or one.check is not None)
situations = st.builds(
    Situation,
    table=st.sampled_from(("rows", "rows", "parts")),
    policies=st.lists(policies, max_size=4).map(tuple),
    enabled=st.sampled_from((True, True, True, False)),
    forced=st.booleans(),
    bypasses=st.sampled_from((False, False, False, True)),
    owner=st.sampled_from(OWNERS),
    views=st.lists(st.tuples(st.sampled_from(OWNERS), st.booleans()), max_size=2).map(tuple),
)


@pytest.fixture(scope="module")
def connection(server: PostgresServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with (
        cloned(server, EMPTY) as url,
        psycopg.connect(conninfo(url), autocommit=True) as connection,
    ):
        connection.execute(ROLES.encode())
        if connection.info.server_version >= 160000:
            connection.execute(NOT_INHERITED.encode())
        connection.execute(TABLES.encode())
        yield connection


@contextmanager
def built(connection: psycopg.Connection[tuple[object, ...]], made: Situation) -> Iterator[None]:
    """The situation, as the reader finds it; gone afterwards."""
    with connection.transaction(force_rollback=True):
        for statement in made.statements():
            connection.execute(statement.encode())
        connection.execute(b"SET LOCAL ROLE proof_reader")
        yield


def proof(
    connection: psycopg.Connection[tuple[object, ...]], made: Situation
) -> tuple[RowSecurity, ...]:
    oid = value(connection, f"SELECT '{made.read}'::regclass::oid::bigint")
    assert isinstance(oid, int)
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        cursor.execute(row_security.STATEMENT.encode(), row_security.asked([oid]))
        return row_security.found_in(cursor.fetchall())


def value(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> object:
    ((found,),) = connection.execute(statement.encode()).fetchall()
    return found


def attempt(connection: psycopg.Connection[tuple[object, ...]], *statements: str) -> object:
    """What the last one returns, or the name of the function that refused it; nothing stays."""
    try:
        with connection.transaction(force_rollback=True):
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            return connection.execute(statements[-1].encode()).rowcount
    except psycopg.errors.InsufficientPrivilege as error:
        return error.diag.source_function


ALL_ROWS = 9


@examples(60)
@given(made=situations)
def test_what_is_accepted_is_what_the_role_sees(
    connection: psycopg.Connection[tuple[object, ...]], made: Situation
) -> None:
    with built(connection, made):
        found = proof(connection, made)
        accepted = all(one.shows_every_row for one in found)
        read = f"SELECT * FROM {made.read}"
        seen = attempt(connection, read)
        if accepted:
            assert seen == ALL_ROWS
        if all(one.permissive and one.using != "id > 0" for one in made.policies):
            assert accepted == (seen == ALL_ROWS)
        unhidden = attempt(connection, "SET LOCAL row_security = off", read)
        assert unhidden == ("check_enable_rls" if found else ALL_ROWS)


@examples(40)
@given(made=situations.filter(lambda one: not one.views))
def test_what_may_be_written_is_what_the_role_writes(
    connection: psycopg.Connection[tuple[object, ...]], made: Situation
) -> None:
    with built(connection, made):
        found = proof(connection, made)
        if all({Command.SELECT, Command.INSERT} <= one.open_for for one in found):
            insert = f"INSERT INTO {made.table} VALUES (-1, 2) RETURNING id"
            assert attempt(connection, insert) == 1
        if all({Command.SELECT, Command.DELETE} <= one.open_for for one in found):
            assert attempt(connection, f"DELETE FROM {made.table}") == ALL_ROWS
