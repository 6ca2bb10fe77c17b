"""The doctor on real servers: rows that are no views, and rows that nobody is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from checks.doctor.findings import Blocks, Examination, Finding, Severity
from checks.doctor.rules import examine
from checks.spec import ArtworksSpec, CatalogueSpec, ImpressionsSpec, UsersSpec
from monitor.demo.gallery import SCHEMA
from tests.integration.doctor_help import Patient, mended
from tests.support.app_schema import EPOCH
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import Gallery, Person, Piece
from tests.support.open_schema import OpenSchema
from tests.support.postgres import PostgresServer

DAY = timedelta(days=1)
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, n int);
CREATE TABLE prints (id int PRIMARY KEY, n int, made timestamptz NOT NULL DEFAULT now());
CREATE TABLE looks (
    person int NOT NULL, thing_id int NOT NULL, n int,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (person, thing_id)
);
INSERT INTO people SELECT n, n FROM generate_series(1, 60) AS n;
INSERT INTO prints SELECT n, n FROM generate_series(1, 60) AS n;
INSERT INTO looks SELECT n, n, n FROM generate_series(1, 60) AS n;
CREATE TYPE deed AS ENUM ('seen', 'kept');
"""
SPEC = CatalogueSpec(
    artworks=ArtworksSpec("prints", created_at="made"),
    users=UsersSpec("people"),
    impressions=ImpressionsSpec("looks", user="person", artwork="thing_id", viewed_at="at"),
)
MILLISECONDS = "1700000000000"


@pytest.fixture(scope="module")
def shared(server: PostgresServer) -> Iterator[Patient]:
    """Sixty people who have seen a print each; a test adds columns, and takes them away again."""
    with cloned(server, EMPTY) as url:
        patient = Patient(url, SPEC)
        patient.run(TABLES)
        yield patient


@contextmanager
def columns(patient: Patient, table: str, *declared: tuple[str, str]) -> Iterator[None]:
    """Columns of one of the tables for as long as a test lasts, each with the values it gets."""
    names = [one.split(maxsplit=1)[0] for one, _ in declared]
    plain = [one.removesuffix(" NOT NULL") for one, _ in declared]
    strict = [name for name, (one, _) in zip(names, declared, strict=True) if "NOT NULL" in one]
    values = [f"{name} = {value}" for name, (_, value) in zip(names, declared, strict=True)]
    patient.run(
        f"ALTER TABLE {table} {', '.join(f'ADD COLUMN {one}' for one in plain)}",
        f"UPDATE {table} SET {', '.join(values)}",
        *(f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL" for name in strict),
    )
    try:
        yield
    finally:
        dropped = ", ".join(f"DROP COLUMN {name} CASCADE" for name in names)
        patient.run(f"ALTER TABLE {table} {dropped}")


def suspected(examination: Examination) -> dict[str, Finding]:
    """The suspicions about impressions, by name."""
    found = [one for one in examination.findings if one.code == "rows_not_views"]
    assert all(one.blocks is Blocks.HEALING for one in found)
    return {one.accepted_as: one for one in found if one.accepted_as is not None}


def to_accept(examination: Examination) -> set[str]:
    """The names of all that could be accepted, whether it blocks or is only told."""
    return {one.accepted_as for one in examination.findings if one.accepted_as is not None}


async def after(patient: Patient, finding: Finding) -> Examination:
    """What is left to say once the settings that it proposes stand."""
    return await replace(patient, spec=mended(patient.spec, finding)).examine()


NOT_VIEWS = {
    "rows_not_seen": (
        "seen boolean",
        "CASE WHEN n > 3 THEN true WHEN n > 1 THEN false END",
        "Of 60 rows, seen is false in 2 and NULL in 1.",
    ),
    "rows_not_isRead": ('"isRead" boolean NOT NULL', "n > 1", "isRead is false in 1."),
    "zeros_in_is_read": ("is_read smallint", "(n > 5)::int", "is_read is 0 in 5."),
    "nulls_in_read_at": ("read_at timestamptz", "CASE WHEN n > 4 THEN now() END", "NULL in 4."),
    "nulls_in_seen_on": ("seen_on date", "CASE WHEN n > 4 THEN now() END", "NULL in 4."),
    "zeros_in_looked": (
        "looked bigint",
        f"CASE WHEN n > 4 THEN {MILLISECONDS} ELSE 0 END",
        "looked is 0 in 4.",
    ),
    "zeros_in_view_count": ("view_count integer", "n - 1", "view_count is 0 in 1."),
    "rows_with_hidden": ("hidden boolean", "NULLIF(n, 2) = 1", "hidden is true in 1."),
    "rows_with_skipped": ("skipped boolean NOT NULL", "n = 1", "skipped is true in 1."),
    "rows_with_deletedAt": (
        '"deletedAt" timestamptz',
        "CASE WHEN n < 3 THEN now() END",
        "deletedAt is set in 2.",
    ),
    "rows_with_retracted": (
        "retracted bigint",
        f"CASE WHEN n < 3 THEN {MILLISECONDS} WHEN n < 6 THEN 0 END",
        "retracted is not 0 in 2.",
    ),
    "values_in_status": (
        "status text",
        "CASE WHEN n > 5 THEN 'seen' WHEN n > 2 THEN 'it''s kept' END",
        "status has 3 values: 'seen' (55 rows), 'it''s kept' (3 rows), NULL (2 rows).",
    ),
    "values_in_last_action": (
        "last_action deed",
        "(CASE WHEN n < 4 THEN 'kept' ELSE 'seen' END)::deed",
        "last_action has 2 values: 'seen' (57 rows), 'kept' (3 rows).",
    ),
    "values_in_event_type": (
        "event_type text",
        "CASE WHEN n > 3 THEN 'impression' ELSE 'queued' END",
        "event_type has 2 values: 'impression' (57 rows), 'queued' (3 rows).",
    ),
    "values_in_event": (
        "event smallint",
        "(n % 7)",
        "event has 7 values: '1' (9 rows), '2' (9 rows), '3' (9 rows), '4' (9 rows), ",
    ),
}
"""By the suspicion's name: a column, its values, and what is said of it."""


async def test_a_row_that_is_there_is_not_yet_a_view(shared: Patient) -> None:
    with columns(shared, "looks", *((one, values) for one, values, _ in NOT_VIEWS.values())):
        examination = await shared.examine()
        found = suspected(examination)
        assert found.keys() == NOT_VIEWS.keys()
        for name, (_, _, problem) in NOT_VIEWS.items():
            assert problem in found[name].problem
        assert found["values_in_event"].problem.endswith(" and 2 more.")
        assert "event = <what says that it was seen>" in found["values_in_event"].remedy
        assert examination.blocking(Blocks.COUNTING) == ()

        accepted = replace(shared, spec=replace(SPEC, accept=tuple(NOT_VIEWS)))
        blocking = (await accepted.examine()).blocking()
        assert "rows_not_views" not in {one.code for one in blocking}
        # Counting by all of them, but for the event, of which only a person knows the value; and
        # nothing is brought to count that the application has hidden.
        assert "catalog.impressions.set" not in found["rows_not_seen"].settings
        left = await after(shared, found["rows_not_seen"])
        assert suspected(left).keys() == {"values_in_event"}
        assert left.blocking(Blocks.COUNTING) == ()


async def test_a_column_about_something_else_and_one_by_which_all_are_views_say_nothing(
    shared: Patient,
) -> None:
    with columns(
        shared,
        "looks",
        ("seen boolean", "true"),
        ("hidden boolean", "CASE WHEN n > 1 THEN false END"),
        ("read_at timestamptz", "now()"),
        ("deleted_at timestamptz", "NULL"),
        ("looked bigint", f"{MILLISECONDS} + n"),
        ("skipped integer", "n"),
        ("status text", "'kept'"),
        ("action text", "CASE WHEN n > 1 THEN 'view' ELSE 'viewed' END"),
        ("event text", "n::text || clock_timestamp()"),
        ("pinned boolean", "n > 6"),
        ("favourite boolean", "NULL"),
        ("is_library boolean", "n > 6"),
        ("from_mobile boolean", "n > 6"),
        ("bridge_at timestamptz", "CASE WHEN n > 6 THEN now() END"),
        ("liked_at bigint", f"CASE WHEN n > 6 THEN {MILLISECONDS} ELSE 0 END"),
        ("version integer", "n"),
        ("device_type text", "CASE WHEN n > 6 THEN 'tablet' ELSE 'phone' END"),
    ):
        assert suspected(await shared.examine()) == {}
        shared.run("ANALYZE looks")
        assert suspected(await shared.examine()) == {}


async def test_a_column_of_many_values_is_no_state_and_hides_no_other(shared: Patient) -> None:
    with columns(shared, "looks", ("event text", "'kept'"), ("seen boolean", "true")):
        try:
            shared.run(
                "INSERT INTO looks SELECT 0, n, NULL, now(), 'event ' || n, n > 10100 "
                "FROM generate_series(1, 10101) AS n"
            )
            (finding,) = suspected(await shared.examine()).values()
            assert finding.problem == "Of 10,161 rows, seen is false in 10,100."
        finally:
            shared.run("DELETE FROM looks WHERE person = 0")


@pytest.mark.parametrize(
    ("declared", "values", "problems"),
    [
        (
            "seen_at timestamptz",
            "CASE WHEN n > 5 THEN now() END",
            {"nulls_in_seen_at": "Of 60 rows, seen_at is NULL in 5."},
        ),
        (
            "put_down timestamp",
            "CASE WHEN n > 5 THEN now() WHEN n > 3 THEN 'epoch' END",
            {
                "nulls_in_put_down": "Of 60 rows, put_down is NULL in 3.",
                "zeros_in_put_down": "put_down is 1970-01-01, which stands for never, in 2.",
            },
        ),
        (
            "day date NOT NULL",
            "CASE WHEN n > 5 THEN now() ELSE 'epoch' END",
            {"zeros_in_day": "in 5."},
        ),
        ("ms bigint", f"CASE WHEN n > 5 THEN {MILLISECONDS} ELSE 0 END", {"zeros_in_ms": "in 5."}),
    ],
)
async def test_a_view_without_its_moment_is_doubtful_whatever_the_column_is_called(
    shared: Patient, declared: str, values: str, problems: dict[str, str]
) -> None:
    impressions = replace(SPEC.impressions, viewed_at=declared.split(maxsplit=1)[0])
    patient = replace(shared, spec=replace(SPEC, impressions=impressions))
    with columns(shared, "looks", (declared, values)):
        found = suspected(await patient.examine())
        assert found.keys() == problems.keys()
        for name, problem in problems.items():
            assert problem in found[name].problem
        # What ANALYZE has sampled changes nothing: some are there.
        shared.run("ANALYZE looks")
        found = suspected(await patient.examine())
        assert found.keys() == problems.keys()
        left = await after(patient, *list(found.values())[:1])
        assert suspected(left) == {}
        assert "set_unusable" not in {one.code for one in left.findings}


KINDS = "CASE WHEN n < 7 THEN 'print' WHEN n < 10 THEN 'film' ELSE 'caption' END"


async def test_rows_of_several_kinds_are_told_by_kind_with_the_ids_that_are_artworks(
    shared: Patient,
) -> None:
    names = ("kind", "thing_type", '"entityType"', "noted_type")
    shared.run("UPDATE looks SET thing_id = 900 + n WHERE n BETWEEN 7 AND 9")
    try:
        with columns(shared, "looks", *((f"{name} text", KINDS) for name in names)):
            found = suspected(await shared.examine())
            assert found.keys() == {"kinds_in_" + name.strip('"') for name in names}
            for finding in found.values():
                assert finding.problem.endswith(
                    " has 3 values: 'caption' (51 rows; 51 of 51 ids are in prints), 'print' (6 "
                    "rows; 6 of 6 ids are in prints), 'film' (3 rows; 0 of 3 ids are in prints)."
                )
            assert suspected(await after(shared, found["kinds_in_kind"])) == {}
            with columns(shared, "prints", ("code text", "n::text")):  # text = integer
                codes = replace(SPEC, artworks=replace(SPEC.artworks, id="code"))
                found = suspected(await replace(shared, spec=codes).examine())
                assert found.keys() == {"kinds_in_" + name.strip('"') for name in names}
                assert "'caption' (51 rows), 'print' (6" in found["kinds_in_kind"].problem
    finally:
        shared.run("UPDATE looks SET thing_id = n")


async def test_a_foreign_key_to_the_artworks_proves_that_there_is_one_kind(
    shared: Patient,
) -> None:
    shared.run("ALTER TABLE looks ADD CONSTRAINT one_kind FOREIGN KEY (thing_id) REFERENCES prints")
    deeds = "CASE WHEN n > 3 THEN 'view' ELSE 'like' END"
    try:
        with columns(shared, "looks", ("noted_type text", KINDS), ("type text", deeds)):
            (finding,) = suspected(await shared.examine()).values()
            assert finding.problem == "type has 2 values: 'view' (57 rows), 'like' (3 rows)."
    finally:
        shared.run("ALTER TABLE looks DROP CONSTRAINT one_kind")


async def test_what_could_not_be_read_is_no_answer(shared: Patient) -> None:
    shared.run("CREATE VIEW slow AS SELECT *, pg_sleep(60) IS NULL AS hidden FROM looks")
    spec = replace(SPEC, impressions=replace(SPEC.impressions, table="slow"))
    hasty = replace(shared, spec=spec, patience=timedelta(milliseconds=100))
    try:
        found = suspected(await hasty.examine())
        assert found["rows_with_hidden"].problem == (
            "What hidden says of each row could not be read."
        )
    finally:
        shared.run("DROP VIEW slow")


async def test_a_large_table_is_spared_the_pass_only_by_a_sample_without_a_finding(
    shared: Patient,
) -> None:
    large = "UPDATE pg_class SET reltuples = 2e6 WHERE oid = 'looks'::regclass"
    with columns(shared, "looks", ("seen boolean", "true")):
        shared.run("ANALYZE looks", large, "UPDATE looks SET seen = false WHERE n = 1")
        assert suspected(await shared.examine()) == {}
        shared.run("ANALYZE looks", large)
        assert "false in 1." in suspected(await shared.examine())["rows_not_seen"].problem
    with columns(shared, "looks", ("seen boolean", "n > 1")):  # of which ANALYZE knows nothing
        assert suspected(await shared.examine()).keys() == {"rows_not_seen"}


def not_in_use(examination: Examination, table: str) -> Finding | None:
    """The one suspicion about rows of the table that nobody is shown."""
    found = [one for one in examination.findings if one.code == "rows_not_in_use"]
    assert all(one.severity is Severity.WARNING for one in found)
    assert all(one.blocks is Blocks.NOTHING for one in found)
    return next((one for one in found if one.subject == table), None)


NOT_IN_USE = (
    ("gone boolean NOT NULL", "n < 3", "gone is true in 2", "NOT gone"),
    ("hidden boolean", "NULLIF(n, 4) < 3", "hidden is true in 2", "hidden IS NOT TRUE"),
    ('"left" boolean', "n < 3", "left is true in 2", '"left" IS NOT TRUE'),
    (
        '"archivedAt" timestamp',
        "CASE WHEN n < 3 THEN now() END",
        "archivedAt is set in 2",
        '"archivedAt" IS NULL',
    ),
    (
        "deleteat bigint",
        f"CASE WHEN n < 3 THEN {MILLISECONDS} WHEN n < 9 THEN 0 END",
        "deleteat is not 0 in 2",
        "coalesce(deleteat, 0) = 0",
    ),
    (
        "erased bigint NOT NULL",
        f"CASE WHEN n < 3 THEN {MILLISECONDS} ELSE 0 END",
        "erased is not 0 in 2",
        "erased = 0",
    ),
    (
        "is_retired smallint NOT NULL",
        "(n < 3)::int",
        "is_retired is not 0 in 2",
        "is_retired = 0",
    ),
    (
        "removed_at timestamptz NOT NULL",
        "CASE WHEN n < 3 THEN now() ELSE 'epoch' END",
        "removed_at is set in 2",
        "coalesce(removed_at, 'epoch') < '1971-01-01'",
    ),
    (
        "on_show boolean",
        "CASE WHEN n > 2 THEN true WHEN n > 1 THEN false END",
        "on_show is false in 1 and NULL in 1",
        "on_show",
    ),
    (
        "published_at timestamptz",
        "CASE WHEN n > 2 THEN now() END",
        "published_at is NULL in 2",
        "published_at IS NOT NULL",
    ),
    ("enabled smallint", "(n > 2)::int", "enabled is 0 in 2", "enabled <> 0"),
    (
        "status text",
        "CASE WHEN n < 3 THEN 'Draft' WHEN n < 6 THEN 'it''s fine' WHEN n < 7 THEN 'gone' END",
        "status is 'Draft' in 2 and 'gone' in 1",
        "(status IN ('Draft', 'gone')) IS NOT TRUE",
    ),
    (
        "pool_status text NOT NULL",
        "CASE WHEN n < 3 THEN 'archived' ELSE 'active' END",
        "pool_status is 'archived' in 2",
        "pool_status <> 'archived'",
    ),
)
"""A column, its values, what is said of it, and the condition that leaves out what it says."""


async def test_rows_that_nobody_is_shown_are_told_with_the_filter_that_leaves_them_out(
    shared: Patient,
) -> None:
    with columns(shared, "prints", *((one, values) for one, values, _, _ in NOT_IN_USE)):
        finding = not_in_use(await shared.examine(), "prints")
        assert finding is not None
        for _, _, problem, _ in NOT_IN_USE:
            assert f" {problem}" in finding.problem
        proposed = str(finding.settings["catalog.artworks.where"])
        given = proposed.split(" AND ")
        assert given == [where for *_, where in NOT_IN_USE]
        for where in given:
            left_out = 3 if where.startswith("(status") else 2
            assert counted(shared, f"prints WHERE {where}") == 60 - left_out
        assert counted(shared, f"prints WHERE {proposed}") == 57  # 1, 2, and 6

        # People and prints are numbered alike here.
        alike = ("nobody_crosses_n",)
        artworks = replace(SPEC.artworks, where=proposed)
        left = await replace(shared, spec=replace(SPEC, accept=alike, artworks=artworks)).examine()
        assert not_in_use(left, "prints") is None
        assert left.blocking() == ()


def counted(patient: Patient, what: str) -> int:
    url = make_url(patient.url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        row = connection.execute(f"SELECT count(*) FROM {what}".encode()).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_column_by_which_all_are_in_use_says_nothing(shared: Patient) -> None:
    with columns(
        shared,
        "people",
        ("gone boolean", "false"),
        ("barred boolean", "true"),  # it would leave nobody
        ("deleted_at timestamptz", "NULL"),
        ("enabled boolean", "true"),
        ("newsletter boolean", "n > 6"),
        ("comments_closed boolean", "n > 6"),
        ("two_factor_enabled boolean", "n > 6"),
        ("last_active_at timestamptz", "CASE WHEN n > 6 THEN now() END"),
        ('"left" integer', "n"),
        ("status text", "CASE WHEN n > 6 THEN 'open' ELSE 'featured' END"),
        ("hall text", "CASE WHEN n > 6 THEN 'north' ELSE 'closed' END"),
        ("is_library boolean", "n > 6"),
    ):
        shared.run("ANALYZE people")
        assert not_in_use(await shared.examine(), "people") is None


async def test_all_such_columns_of_a_table_make_one_filter_with_the_one_that_is_there(
    shared: Patient,
) -> None:
    with columns(
        shared,
        "people",
        ("barred boolean NOT NULL", "n = 1"),
        ("left_at timestamptz", "CASE WHEN n = 2 THEN now() END"),
        ("hall text NOT NULL", "CASE WHEN n IN (3, 4) THEN 'closed' ELSE 'open' END"),
    ):
        finding = not_in_use(await shared.examine(), "people")
        assert finding is not None
        assert finding.settings == {"catalog.users.where": "NOT barred AND left_at IS NULL"}
        assert finding.accepted_as == "users_not_in_use"
        # Only its values give the hall away, and these ANALYZE has to see.
        shared.run("ANALYZE people")
        users = replace(SPEC.users, where="n > 0 -- all")
        patient = replace(shared, spec=replace(SPEC, users=users))
        finding = not_in_use(await patient.examine(), "people")
        assert finding is not None
        proposed = finding.settings["catalog.users.where"]
        assert proposed == (
            "(n > 0 -- all\n) AND NOT barred AND left_at IS NULL AND hall <> 'closed'"
        )
        assert counted(shared, f"people WHERE {proposed}") == 56
        spoken_of = replace(SPEC.users, where="BARRED OR \"left_at\" < now() OR hall = 'x'")
        patient = replace(shared, spec=replace(SPEC, users=spoken_of))
        assert not_in_use(await patient.examine(), "people") is None
        patient = replace(shared, spec=replace(SPEC, accept=("users_not_in_use",)))
        assert not_in_use(await patient.examine(), "people") is None


async def test_what_takes_too_long_is_estimated_by_what_analyze_saw(shared: Patient) -> None:
    with columns(shared, "people", ("gone boolean NOT NULL", "n < 4")):
        users = replace(SPEC.users, where="pg_sleep(0.05) IS NOT NULL")
        hasty = replace(
            shared, spec=replace(SPEC, users=users), patience=timedelta(milliseconds=200)
        )
        finding = not_in_use(await hasty.examine(), "people")
        assert finding is not None
        assert finding.problem == "What gone says of each row could not be read."
        assert finding.settings == {}
        shared.run("ANALYZE people")
        finding = not_in_use(await hasty.examine(), "people")
        assert finding is not None
        assert finding.problem == ("By the statistics of ANALYZE: Of 60 rows, gone is true in 3.")


COMPOSITE = """
CREATE TABLE patrons (venue_id int, no int, PRIMARY KEY (venue_id, no));
CREATE TABLE sheets (
    venue_id int, no int, made timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (venue_id, no)
);
CREATE TABLE visits (
    venue_id int, patron_no int, sheet_no int, at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (venue_id, patron_no, sheet_no)
);
INSERT INTO patrons SELECT v, n FROM generate_series(1, 2) AS v, generate_series(1, 5) AS n;
INSERT INTO sheets SELECT v, n FROM generate_series(1, 2) AS v, generate_series(1, 5) AS n;
INSERT INTO visits SELECT v, n, n FROM generate_series(1, 2) AS v, generate_series(1, 5) AS n;
CREATE VIEW visits_of_one AS SELECT * FROM visits WHERE venue_id = 1;
CREATE TABLE members (venue_id int, no int, PRIMARY KEY (venue_id, no));
INSERT INTO members SELECT n % 2, n FROM generate_series(1, 5) AS n;
"""


async def test_an_id_that_is_only_a_part_of_a_key_is_refused_until_all_tables_are_of_one(
    shared: Patient,
) -> None:
    shared.run(COMPOSITE)
    bare = CatalogueSpec(
        artworks=ArtworksSpec("sheets", id="no", created_at="made"),
        users=UsersSpec("patrons", id="no"),
        impressions=ImpressionsSpec("visits", "patron_no", "sheet_no", "at"),
    )

    async def refused(spec: CatalogueSpec) -> dict[str, Finding]:
        found = (await replace(shared, spec=spec).examine()).findings
        assert all(f.blocks is Blocks.COUNTING for f in found if f.code == "ids_not_unique")
        return {f.subject: f for f in found if f.code == "ids_not_unique"}

    found = await refused(bare)
    assert found.keys() == {"sheets.no", "patrons.no"}
    assert found["patrons.no"].problem == (
        "no is an id only together with venue_id: the same one comes back with another venue_id."
    )
    # Rows of other venues' visits would still be taken for this one's.
    one = "venue_id = 1"
    filtered = replace(
        bare,
        artworks=replace(bare.artworks, where=one),
        users=replace(bare.users, where=one),
    )
    found = await refused(filtered)
    assert found.keys() == {"sheets.no", "patrons.no"}
    assert found["sheets.no"].problem.endswith(", and visits has rows of several.")
    assert 'catalog.impressions.where: "venue_id" = <one' in found["sheets.no"].remedy
    viewed = replace(filtered, impressions=replace(bare.impressions, table="visits_of_one"))
    assert await refused(viewed) == {}
    told = replace(filtered, impressions=replace(bare.impressions, where=one))
    assert await refused(told) == {}
    # A key with the venue in it, as sharding wants it, over numbers that nobody has twice.
    unique = replace(viewed, users=UsersSpec("members", id="no"))
    assert await refused(unique) == {}


async def test_the_sample_app_raises_no_suspicion(app_database_url: str) -> None:
    patient = Patient(app_database_url)
    patient.run(
        "INSERT INTO users (id) SELECT n::text FROM generate_series(1, 20) AS n",
        "INSERT INTO art_sessions (id, session_id, image_url, is_library, pool_status) "
        "SELECT n::text, n::text, '', n % 2 = 0, "
        "CASE WHEN n % 3 = 0 THEN 'featured' ELSE 'active' END FROM generate_series(1, 20) AS n",
        "INSERT INTO user_art_impressions (user_id, artwork_id, bridge_at, version) "
        "SELECT n::text, n::text, CASE WHEN n > 9 THEN now() END, n % 3 "
        "FROM generate_series(1, 20) AS n",
    )
    assert not to_accept(await patient.examine())
    patient.run("ANALYZE")
    assert not to_accept(await patient.examine())
    assert "bridge_at" in SCHEMA.read_text(encoding="utf-8")


async def test_schemas_that_are_as_they_should_be_raise_no_suspicion(opened: OpenSchema) -> None:
    gallery = Gallery(
        now=EPOCH + 20_000 * DAY,
        people=tuple(Person(n, n) for n in range(6)),
        pieces=tuple(Piece(n, n, n % 6) for n in range(6)),
        views=tuple((n, n) for n in range(6)),
    )
    async with opened.holding(gallery) as connection:
        examination = await examine(
            connection, opened.schema.spec, gallery.pools, state_schema="conservator"
        )
    assert not to_accept(examination)


async def test_a_table_that_has_a_row_for_each_of_them_is_asked_whatever_it_is_called(
    shared: Patient,
) -> None:
    shared.run(
        'CREATE TABLE "acc 100%" (id int PRIMARY KEY, deleted_at timestamptz)',
        'INSERT INTO "acc 100%" SELECT n, CASE WHEN n > 50 THEN now() END FROM people',
        'ALTER TABLE people ADD CONSTRAINT acc FOREIGN KEY (id) REFERENCES "acc 100%"',
    )
    try:
        (finding,) = [
            one for one in (await shared.examine()).findings if one.code == "parents_not_in_use"
        ]
        assert '"acc 100%"' in finding.problem
    finally:
        shared.run("ALTER TABLE people DROP CONSTRAINT acc", 'DROP TABLE "acc 100%"')
