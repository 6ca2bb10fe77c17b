"""Impressions that are a view: what doctor says of it is what PostgreSQL does, and what it proves
is true of the rows that the view shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import psycopg
import pytest

from checks.doctor.findings import Blocks
from checks.relations import Kind
from checks.spec import CatalogueSpec, ImpressionsSpec
from tests.integration.doctor_help import Patient, codes, only
from tests.support.databases import EMPTY, cloned
from tests.support.postgres import PostgresServer

_TABLES = """
CREATE TABLE users (id int PRIMARY KEY);
CREATE TABLE art_sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO users SELECT generate_series(1, 3);
INSERT INTO art_sessions SELECT generate_series(1, 5);
CREATE TABLE looks (
    gone text, house int NOT NULL DEFAULT 1, "the Art" int NOT NULL REFERENCES art_sessions,
    user_id int NOT NULL REFERENCES users, at timestamptz NOT NULL DEFAULT now(), note text,
    id bigserial, PRIMARY KEY (house, "the Art", user_id));
ALTER TABLE looks DROP COLUMN gone;
INSERT INTO looks (house, "the Art", user_id) VALUES (1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 3, 1);
CREATE TABLE parted (
    house int NOT NULL, "the Art" int NOT NULL, user_id int NOT NULL, at timestamptz,
    UNIQUE ("the Art", user_id, house)) PARTITION BY LIST (house);
CREATE TABLE parted_2 (
    user_id int NOT NULL, gone int, at timestamptz, "the Art" int NOT NULL, house int NOT NULL);
ALTER TABLE parted_2 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
INSERT INTO parted VALUES (1, 1, 1), (2, 1, 1), (2, 2, 3);
CREATE TABLE strict (user_id int NOT NULL, "the Art" int NOT NULL, at timestamptz,
    reason text NOT NULL, UNIQUE (user_id, "the Art"));
INSERT INTO strict VALUES (1, 1, now(), 'x');
CREATE TABLE generated (user_id int NOT NULL, double int GENERATED ALWAYS AS (user_id * 2) STORED,
    "the Art" int NOT NULL, at timestamptz, UNIQUE (user_id, "the Art"));
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER hears BEFORE INSERT ON generated FOR EACH ROW EXECUTE FUNCTION say();
INSERT INTO generated (user_id, "the Art") VALUES (1, 1);
CREATE MATERIALIZED VIEW stored AS SELECT user_id, "the Art" AS artwork_id, at FROM looks;
"""
_PLAIN = 'user_id, "the Art" AS artwork_id, at AS viewed_at'


@dataclass(frozen=True)
class Shape:
    """A view `seen`, and what is to be told of it."""

    name: str
    sql: str
    obstacle: str | None = None
    """A part of the reason why healing is refused; None: it is not."""
    arbiter: tuple[str, ...] | None = None
    """Columns beside the pair; None where no index does it."""
    where: str | None = None
    set: dict[str, str] = field(default_factory=dict)
    hides: str | None = None
    """By what it leaves out rows that are in the index of the pairs."""


SHAPES = (
    Shape(
        "plain",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks WHERE house = 1",
        arbiter=("house",),
    ),
    Shape(
        "check option",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks WHERE house = 1 WITH CHECK OPTION",
        arbiter=("house",),
    ),
    Shape(
        "where of the operator",
        f"CREATE VIEW seen AS SELECT house, {_PLAIN} FROM looks",
        arbiter=("house",),
        where="house = 1",
    ),
    Shape("several houses", f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks"),
    Shape("hidden key", f"CREATE VIEW seen AS SELECT {_PLAIN} FROM looks WHERE house = 1"),
    Shape(
        "view over view",
        f'CREATE VIEW below AS SELECT house AS "a ""House""", {_PLAIN}, note FROM looks l;'
        'CREATE VIEW seen AS SELECT viewed_at, "a ""House""" AS h, artwork_id, user_id FROM below'
        ' WHERE "a ""House""" = 1 AND user_id IN (SELECT id FROM users)',
        arbiter=("h",),
    ),
    Shape(
        "security barrier",
        f"CREATE VIEW seen WITH (security_barrier) AS SELECT {_PLAIN}, house FROM looks"
        " WHERE house = 1",
        arbiter=("house",),
    ),
    Shape(
        "security invoker",
        f"CREATE VIEW seen WITH (security_invoker) AS SELECT {_PLAIN}, house FROM looks"
        " WHERE house = 1",
        arbiter=("house",),
    ),
    Shape(
        "partitioned",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM parted WHERE house = 2",
        arbiter=("house",),
    ),
    Shape(
        "partition",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM parted_2 WHERE house = 2",
        arbiter=("house",),
    ),
    Shape("generated", f"CREATE VIEW seen AS SELECT double, {_PLAIN} FROM generated", arbiter=()),
    Shape(
        "computed neighbour",
        f"CREATE VIEW seen AS SELECT upper(note) AS loud, {_PLAIN}, house,"
        " (SELECT count(*) FROM users) AS n FROM looks WHERE house = 1",
        arbiter=("house",),
    ),
    Shape(
        "default of its own",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, reason FROM strict;"
        "ALTER VIEW seen ALTER reason SET DEFAULT 'none'",
        arbiter=(),
    ),
    Shape(
        "default of a view beneath",
        f"CREATE VIEW below AS SELECT {_PLAIN}, reason FROM strict;"
        "ALTER VIEW below ALTER reason SET DEFAULT 'none';"
        "CREATE VIEW seen AS SELECT artwork_id, reason AS r, viewed_at, user_id FROM below",
        arbiter=(),
    ),
    Shape(
        "default of a view that hides its column",
        f"CREATE VIEW below AS SELECT {_PLAIN}, reason FROM strict;"
        "ALTER VIEW below ALTER reason SET DEFAULT 'none';"
        "CREATE VIEW seen AS SELECT artwork_id, viewed_at, user_id FROM below",
        arbiter=(),
    ),
    Shape(
        "a part of a pair's rows",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks WHERE house = 1"
        " AND (note IS NULL OR note > 'a')",
        arbiter=("house",),
        hides="note",
    ),
    Shape(
        "a part beneath",
        f"CREATE VIEW below AS SELECT {_PLAIN}, note || '' AS n, house, id FROM looks"
        " WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = looks.id AND u.id < 0);"
        "CREATE VIEW seen AS SELECT artwork_id, house, viewed_at, user_id FROM below"
        " WHERE house = 1 AND n IS NULL",
        arbiter=("house",),
        hides="a computed column, id",
    ),
    Shape(
        "hidden NOT NULL",
        f"CREATE VIEW seen AS SELECT {_PLAIN} FROM strict",
        "hides reason of public.strict",
        arbiter=(),
    ),
    Shape(
        "computed id",
        'CREATE VIEW seen AS SELECT user_id + 0 AS user_id, "the Art" AS artwork_id,'
        " at AS viewed_at FROM looks",
        "computes user_id",
    ),
    Shape(
        "computed moment",
        'CREATE VIEW seen AS SELECT user_id, "the Art" AS artwork_id, house,'
        " date_trunc('day', at) AS viewed_at FROM looks WHERE house = 1",
        "computes viewed_at",
        arbiter=("house",),
    ),
    Shape(
        "computed column of set",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, note || '' AS note, house FROM looks"
        " WHERE house = 1",
        "computes note",
        arbiter=("house",),
        set={"note": "'seen'"},
    ),
    Shape(
        "join",
        f"CREATE VIEW seen AS SELECT {_PLAIN} FROM looks JOIN users ON users.id = user_id",
        "reads more than one table",
    ),
    Shape(
        "two in FROM",
        f"CREATE VIEW seen AS SELECT {_PLAIN} FROM looks, users WHERE users.id = user_id",
        "reads more than one table",
    ),
    Shape("distinct", f"CREATE VIEW seen AS SELECT DISTINCT {_PLAIN} FROM looks", "has DISTINCT"),
    Shape("limit", f"CREATE VIEW seen AS SELECT {_PLAIN} FROM looks LIMIT 3", "has LIMIT"),
    Shape(
        "groups",
        'CREATE VIEW seen AS SELECT user_id, "the Art" AS artwork_id, max(at) AS viewed_at'
        " FROM looks GROUP BY 1, 2",
        "groups rows",
    ),
    Shape(
        "union",
        f"CREATE VIEW seen AS SELECT {_PLAIN} FROM looks UNION ALL SELECT {_PLAIN} FROM parted",
        "combines several queries",
    ),
    Shape(
        "with",
        f"CREATE VIEW seen AS WITH l AS (SELECT * FROM looks) SELECT {_PLAIN} FROM l",
        "has WITH",
    ),
    Shape(
        "subquery",
        f"CREATE VIEW seen AS SELECT {_PLAIN} FROM (SELECT * FROM looks) l",
        "does not read a table",
    ),
    Shape(
        "over a join",
        f"CREATE VIEW below AS SELECT {_PLAIN} FROM looks, users WHERE users.id = user_id;"
        "CREATE VIEW seen AS SELECT * FROM below",
        "reads more than one table",
    ),
    Shape(
        "instead of",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks WHERE house = 1;"
        "CREATE TRIGGER taken INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION swallow()",
        "INSTEAD OF triggers on public.seen: taken",
        arbiter=("house",),
    ),
    Shape(
        "instead of beneath",
        f"CREATE VIEW below AS SELECT {_PLAIN}, house FROM looks WHERE house = 1;"
        "CREATE TRIGGER taken INSTEAD OF INSERT ON below FOR EACH ROW EXECUTE FUNCTION swallow();"
        "CREATE VIEW seen AS SELECT * FROM below",
        "INSTEAD OF triggers on public.below: taken",
        arbiter=("house",),
    ),
    Shape(
        "rule",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, house FROM looks WHERE house = 1;"
        "CREATE RULE quiet AS ON INSERT TO seen DO INSTEAD NOTHING",
        "rules on public.seen: quiet",
        arbiter=("house",),
    ),
    Shape(
        "materialized",
        "CREATE MATERIALIZED VIEW seen AS SELECT artwork_id, user_id, at AS viewed_at FROM stored",
        "is a materialized view",
    ),
    Shape(
        "over a materialized view",
        "CREATE VIEW seen AS SELECT artwork_id, user_id, at AS viewed_at FROM stored",
        "reads public.stored, a materialized view",
    ),
)


@pytest.fixture(scope="module")
def patient(server: PostgresServer) -> Iterator[Patient]:
    with cloned(server, EMPTY) as url:
        made = Patient(url)
        made.run(_TABLES)
        yield made


@pytest.fixture
def shaped(patient: Patient, request: pytest.FixtureRequest) -> Iterator[Patient]:
    """A database with the view of a shape, which goes again."""
    shape: Shape = request.param
    patient.run(shape.sql)
    kind = "MATERIALIZED VIEW" if "CREATE MATERIALIZED" in shape.sql else "VIEW"
    impressions = ImpressionsSpec(table="seen", where=shape.where, set=shape.set)
    try:
        yield replace(patient, spec=replace(CatalogueSpec(), impressions=impressions))
    finally:
        patient.run(f"DROP {kind} seen", "DROP VIEW IF EXISTS below")


def what_postgresql_does(patient: Patient, shape: Shape) -> bool:
    """Whether a row can be inserted, is there then, and can be updated and deleted again, in the
    way of a batch: only the columns that an impression is made of are named."""
    names = ["user_id", "artwork_id", "viewed_at", *shape.set]
    values = ["3", "5", "now()", *shape.set.values()]
    if "house = 2" in shape.sql:
        names, values = [*names, "house"], [*values, "2"]
    where = "user_id = 3 AND artwork_id = 5"
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        try:
            for statement in (
                f"INSERT INTO seen ({', '.join(names)}) VALUES ({', '.join(values)})",
                f"UPDATE seen SET viewed_at = now() WHERE {where}",
                f"DELETE FROM seen WHERE {where}",
            ):
                if connection.execute(statement.encode()).rowcount != 1:
                    return False
        except psycopg.Error:
            return False
        else:
            return True
        finally:
            connection.rollback()


@pytest.mark.parametrize(
    ("shaped", "shape"),
    [(shape, shape) for shape in SHAPES],
    ids=[shape.name for shape in SHAPES],
    indirect=["shaped"],
)
async def test_what_is_said_of_a_view_is_what_postgresql_does(
    shaped: Patient, shape: Shape
) -> None:
    examination = await shaped.examine()
    assert examination.blocking(Blocks.COUNTING) == ()
    catalogue = examination.catalogue
    assert catalogue is not None
    impressions = catalogue.impressions
    assert impressions.takes_writes is (shape.obstacle is None), impressions.obstacles
    assert impressions.takes_writes is what_postgresql_does(shaped, shape)
    if shape.obstacle is None:
        assert "impressions_not_a_table" not in codes(examination)
    else:
        assert shape.obstacle in only(examination, "impressions_not_a_table").problem
    hides = [one for one in examination.findings if one.code == "view_hides_pairs"]
    assert bool(hides) is (shape.hides is not None)
    assert not hides or f"by {shape.hides}, and" in hides[0].problem
    if shape.arbiter is None:
        assert catalogue.arbiter is None
    else:
        assert catalogue.arbiter is not None
        assert catalogue.arbiter.columns == ("user_id", "artwork_id", *shape.arbiter)
        assert catalogue.pair_is_unique
    if impressions.takes_writes and catalogue.arbiter is not None:
        _takes_as_arbiter(shaped, catalogue.arbiter.columns)
    if impressions.kind is Kind.VIEW:
        _claims_hold(
            shaped, tuple(one.name for one in impressions.columns.values() if one.not_null)
        )


def _takes_as_arbiter(patient: Patient, columns: tuple[str, ...]) -> None:
    again = (
        "INSERT INTO seen ({names}) SELECT {names} FROM seen LIMIT 1"
        " ON CONFLICT ({names}) DO NOTHING".format(names=", ".join(columns))
    )
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        assert connection.execute(again.encode()).rowcount == 0
        connection.rollback()


def _claims_hold(patient: Patient, not_null: tuple[str, ...]) -> None:
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        for name in not_null:
            asked = psycopg.sql.SQL("SELECT count(*) FROM seen WHERE {} IS NULL")
            found = connection.execute(asked.format(psycopg.sql.Identifier(name))).fetchone()
            assert found == (0,)


@pytest.fixture
def kept(patient: Patient) -> Iterator[Patient]:
    """A view that somebody without rights owns, asked about by a role that may use it only."""
    patient.run(
        "DO $$ BEGIN IF to_regrole('view_owner') IS NULL THEN CREATE ROLE view_owner; END IF;"
        " IF to_regrole('view_user') IS NULL THEN CREATE ROLE view_user; END IF; END $$",
        f"CREATE VIEW seen AS SELECT {_PLAIN}, note, house, id FROM looks WHERE house = 1",
        "ALTER VIEW seen OWNER TO view_owner",
        "GRANT SELECT ON looks, users, art_sessions TO view_owner",
        "GRANT SELECT ON users, art_sessions, seen TO view_user",
        "GRANT INSERT, DELETE ON seen TO view_user",
    )
    impressions = ImpressionsSpec(table="seen", set={"note": "'seen'"})
    yield replace(patient, spec=replace(CatalogueSpec(), impressions=impressions))
    patient.run("DROP VIEW seen", "DROP OWNED BY view_owner, view_user")


async def test_the_rights_are_those_on_the_view_and_its_owners_on_the_table(kept: Patient) -> None:
    told = only(await kept.examine(role="view_user"), "impressions_not_a_table").problem
    assert "needs INSERT, DELETE, UPDATE on public.looks for role view_owner" in told
    kept.run("GRANT INSERT, DELETE, UPDATE ON looks TO view_owner")
    examination = await kept.examine(role="view_user")
    lacking = only(examination, "no_update")
    assert lacking.statements == 'GRANT UPDATE ("note") ON "public"."seen" TO "view_user";'
    kept.run(lacking.statements)
    after = await kept.examine(role="view_user")
    assert not {"no_update", "no_insert", "no_delete", "impressions_not_a_table"} & codes(after)
    # What a hidden or shown serial draws from is the inserting role's own business.
    kept.run(only(after, "no_sequence_usage").statements)
    assert "no_sequence_usage" not in codes(await kept.examine(role="view_user"))
    _writes_as(kept, "view_user")


async def test_a_view_that_reads_as_whoever_asks_needs_the_tables_rights(kept: Patient) -> None:
    kept.run(
        "GRANT INSERT, DELETE, UPDATE ON looks TO view_owner",
        "ALTER VIEW seen SET (security_invoker)",
        "GRANT SELECT ON looks TO view_user",
    )
    told = only(await kept.examine(role="view_user"), "impressions_not_a_table").problem
    assert "needs INSERT, DELETE, UPDATE on public.looks for role view_user" in told
    kept.run(
        "GRANT INSERT, DELETE, UPDATE ON looks TO view_user",
        "GRANT UPDATE ON seen TO view_user",
        "GRANT USAGE ON SEQUENCE looks_id_seq TO view_user",
    )
    assert "impressions_not_a_table" not in codes(await kept.examine(role="view_user"))
    _writes_as(kept, "view_user")


def _writes_as(patient: Patient, role: str) -> None:
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        connection.execute(b"INSERT INTO seen (user_id, artwork_id) VALUES (3, 5)")
        connection.execute(b"UPDATE seen SET note = 'seen' WHERE user_id = 3")
        gone = connection.execute(b"DELETE FROM seen WHERE user_id = 3")
        assert gone.rowcount == 1
        connection.rollback()
