"""The doctor on real servers: expressions of `set` and `defaults`, and whether what they make
counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from checks.doctor.findings import Blocks, Examination
from checks.made_rows import no_pair, value_of, value_sources
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SharedColumns,
    SqlMoment,
    ThroughSpec,
    UsersSpec,
)
from tests.integration.doctor_help import Patient, only
from tests.support.databases import EMPTY, cloned
from tests.support.postgres import PostgresServer

TABLES = """
CREATE TABLE people (id int PRIMARY KEY, team int, viewed_at text);
CREATE TABLE prints (id int PRIMARY KEY, wing int, made timestamptz NOT NULL, viewed_at text);
CREATE TABLE looks (
    id serial PRIMARY KEY, person int NOT NULL, print int NOT NULL, wing int,
    kind text NOT NULL DEFAULT 'film', seen boolean, hidden boolean NOT NULL DEFAULT false,
    at timestamptz, day date, twice int GENERATED ALWAYS AS (2) STORED,
    UNIQUE (person, print)
);
CREATE TABLE passes (person int, print int, pass int, PRIMARY KEY (person, print, pass));
CREATE SEQUENCE drawn;
CREATE FUNCTION next_one() RETURNS int LANGUAGE plpgsql AS
    'BEGIN RETURN nextval(''drawn''); END';
INSERT INTO people SELECT n, n % 2 FROM generate_series(1, 4) AS n;
INSERT INTO prints SELECT n, n % 3, now() - interval '30 days' FROM generate_series(1, 6) AS n;
INSERT INTO looks (person, print, kind, wing, seen, at, hidden)
    SELECT n, n, 'print', 1, n <> 2, CASE WHEN n <> 2 THEN now() END, n = 2
    FROM generate_series(1, 3) AS n;
INSERT INTO passes SELECT u, a, 10 * u + a FROM generate_series(1, 4) u, generate_series(1, 6) a;
INSERT INTO passes SELECT 1, 1, 99;
"""
LOOKS = ImpressionsSpec("looks", user="person", artwork="print", viewed_at="at")
SPEC = CatalogueSpec(
    artworks=ArtworksSpec("prints", created_at="made"), users=UsersSpec("people"), impressions=LOOKS
)
LISTED = PairsSpec(through=ThroughSpec("passes", user="person", artwork="print"))
COUNTS = "made_rows_do_not_count"


@pytest.fixture(scope="module")
def patient(server: PostgresServer) -> Iterator[Patient]:
    """Four people and six prints, of whom three have a row."""
    with cloned(server, EMPTY) as url:
        made = Patient(url, SPEC)
        made.run(TABLES)
        yield made


def saying(patient: Patient, **said: Any) -> Patient:
    """The doctor's patient where `catalog.impressions`, or `pairs`, says this as well."""
    pairs = said.pop("pairs", PairsSpec())
    spec = replace(SPEC, impressions=replace(LOOKS, **said), pairs=pairs)
    return replace(patient, spec=spec)


def about_values(examination: Examination) -> set[str]:
    """What is found about expressions and what they make."""
    codes = {one.code for one in examination.blocking()}
    return codes & {COUNTS, "made_rows_untold", "set_unusable", "default_unusable"}


MISTAKES = {
    "set.lookd": ("now()", "public.looks has no column lookd."),
    "set.sen": ("true", "has no column sen. Similar columns: seen"),
    "set.twice": ("1", "Column twice is GENERATED ALWAYS"),
    "set.person": ("1", "Column person is filled with the impression itself"),
    "set.at": ("viewd_at", 'column "viewd_at" does not exist'),
    "set.seen": ("max(1) > 0", "aggregate functions are not allowed"),
    "set.day": ("(1, 2)", "cannot cast"),
    "defaults.at": ("now()", "Column at is filled with the impression itself"),
    "defaults.wing": ("artwork.wingg", "public.prints has no column wingg. Similar columns: wing"),
    "defaults.kind": ("pair.pass", "pair.pass is a column of catalog.pairs.through, which is not"),
    "defaults.id": ('"user".tem', "public.people has no column tem. Similar columns: team"),
    "defaults.day": ("generate_series(1, 2)::text::date", "set-returning functions"),
    "defaults.hidden": ("made > now()", 'column "made" does not exist'),
    "defaults.seen": ("m.nothing", "m.nothing does not exist"),
}


async def test_every_mistake_in_an_expression_is_told_at_once_with_its_path(
    patient: Patient,
) -> None:
    said: dict[str, dict[str, str]] = {"set": {}, "defaults": {}}
    for path, (expression, _) in MISTAKES.items():
        key, column = path.split(".")
        said[key][column] = expression
    examination = await saying(patient, counts="seen", **said).examine()
    found = {
        finding.subject.removeprefix("catalog.impressions."): finding
        for finding in examination.findings
        if finding.code in ("set_unusable", "default_unusable")
    }
    assert found.keys() == MISTAKES.keys()
    for path, (_, problem) in MISTAKES.items():
        assert problem in found[path].problem
        assert found[path].blocks is Blocks.HEALING
        assert found[path].code.startswith(path.partition(".")[0].removesuffix("s"))


async def test_a_value_of_a_type_that_the_column_does_not_take_is_refused(
    patient: Patient,
) -> None:
    refused = {
        "wing": "artwork.viewed_at",
        "day": "'2026-' || '01-01'",
        "seen": "1",
        "hidden": "gen_random_uuid()",
    }
    examination = await saying(patient, defaults=refused).examine()
    unusable = [one for one in examination.findings if one.code == "default_unusable"]
    assert [one.subject.rpartition(".")[2] for one in unusable] == [*refused]
    assert unusable[0].problem == (
        "PostgreSQL refuses 'artwork.viewed_at' for a column of type integer: it is of type text."
    )
    taken = (
        {"wing": "viewed_at::date - date '2026-01-01'", "day": "viewed_at", "kind": "42"},
        {"wing": "1.5", "day": " ('2026-01-01') ", "seen": "'true'", "kind": "gen_random_uuid()"},
        {"wing": "NULL", "day": "now()", "hidden": "'f'::bool", "kind": "'a'::varchar(3)"},
    )
    for said in taken:
        assert about_values(await saying(patient, defaults=said).examine()) == set()


async def test_values_are_those_of_the_pairs_own_rows_and_of_the_moment(patient: Patient) -> None:
    asked = saying(patient, pairs=LISTED)
    catalogue = (await asked.examine()).catalogue
    assert catalogue is not None
    wanted = {
        "wing": ("ARTWORK.wing", 2),
        "print": ('"user".team + 5', 6),
        "person": ("pair.pass", 35),
        "day": ("viewed_at", "2026-03-05"),
        "kind": ("coalesce(artwork.viewed_at, 'none') -- viewed_at", "none"),
        "at": ("viewed_at", "2026-03-05 05:06:07+09"),
        "seen": ("'true'", "true"),
    }
    values = [value_of(catalogue, name, text) for name, (text, _) in wanted.items()]
    sources = value_sources(catalogue, [text for text, _ in wanted.values()])
    listed = ", ".join(f"{value.as_string(None)}::text" for value in values)
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        connection.execute("SET timezone = 'Asia/Tokyo'")
        pair = "(SELECT 3 AS user_id, 5 AS artwork_id) AS m"
        text = f"SELECT {listed} FROM {pair}{sources.as_string(None)}"
        [row] = connection.execute(text.encode(), {"now": "2026-03-04T20:06:07Z"}).fetchall()
        assert list(row) == [str(value) for _, value in wanted.values()]
        # A pair that is listed twice has one row, and nothing is found where nothing may be.
        twice = pair.replace("3 AS", "1 AS").replace("5 AS", "1 AS")
        joined = value_sources(catalogue, ["pair.pass"]).as_string(None)
        text = f"SELECT pair.pass FROM {twice}{joined}"
        assert connection.execute(text.encode()).fetchall() == [(11,)]
        text = f"SELECT FROM {no_pair(catalogue, ['artwork.id']).as_string(None)}"
        assert connection.execute(text.encode()).fetchall() == []


PRINTS = "kind = 'print'"
FINE: dict[str, dict[str, Any]] = {
    "by a value given": {"where": PRINTS, "defaults": {"kind": "'print'"}},
    "by a default": {"where": "kind = 'film'"},
    "by user and artwork": {"where": "person > 0 AND print BETWEEN 1 AND 6"},
    "by the moment": {"counts": "at IS NOT NULL", "set": {"at": "viewed_at"}},
    "by an artwork's": {"where": "wing < 3", "defaults": {"wing": "artwork.wing"}},
    "by what set brings": {
        "counts": "seen AND NOT hidden",
        "set": {"seen": "true", "hidden": "false"},
    },
    "by the condition's own alias": {"where": "looks.kind = 'film'"},
    "by a list": {"pairs": LISTED, "where": "wing > 10", "defaults": {"wing": "pair.pass"}},
    "by moments of numbers": {
        "viewed_at": SqlMoment("to_timestamp(wing)"),
        "counts": "wing > 0",
        "set": {"wing": "extract(epoch FROM viewed_at)::int"},
    },
}
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a default that is outside": (
        {"where": PRINTS},
        "defaults",
        "catalog.impressions.where (kind = 'print') is not true in 24 of 24 pairs tried",
    ),
    "nothing given": ({"counts": "seen"}, "defaults", "counts (seen) is not true of it"),
    "null": ({"counts": "wing > 1"}, "defaults", "counts (wing > 1)"),
    "of some artworks only": (
        {"where": "wing > 0", "defaults": {"wing": "artwork.wing"}},
        "defaults",
        "where (wing > 0) is not true in 8 of 24 pairs tried",
    ),
    "of some tenants only": (
        {
            "pairs": PairsSpec(same=(SharedColumns("team", "wing"),)),
            "where": "wing > 0",
            "defaults": {"wing": '"user".team'},
        },
        "defaults",
        "in 4 of 8 pairs tried",
    ),
    "a row that set can't bring": (
        {"counts": "seen AND NOT hidden", "set": {"seen": "true"}},
        "set",
        "A row that set changes would not count: catalog.impressions.counts (seen AND NOT hidden)"
        " is not true of it.",
    ),
}


async def test_rows_that_are_made_have_to_count(patient: Patient) -> None:
    for name, said in FINE.items():
        assert about_values(await saying(patient, **dict(said)).examine()) == set(), name
    for name, (said, key, problem) in WRONG.items():
        finding = only(await saying(patient, **dict(said)).examine(), COUNTS)
        assert finding.subject == f"catalog.impressions.{key}", name
        assert problem in finding.problem, name
        assert finding.blocks is Blocks.HEALING
        assert finding.accepted_as is None


async def test_what_a_row_would_hold_is_told_as_unknown_and_never_tried_out(
    patient: Patient,
) -> None:
    patient.run("ALTER TABLE looks ADD number int DEFAULT next_one()")
    try:
        before = patient_value(patient, "SELECT last_value, is_called FROM drawn")
        for counts, reason in (
            ("id > 0", "column id is numbered by a sequence"),
            ("twice > 0", "column twice gets its value from PostgreSQL"),
            ("number > 0", "cannot execute nextval() in a read-only transaction"),
            ("1 / hidden::int > 0", "division by zero"),
        ):
            asked = saying(patient, counts=counts)
            finding = only(await asked.examine(), "made_rows_untold")
            assert reason in finding.problem
            assert finding.blocks is Blocks.HEALING
            accepted = replace(asked, spec=replace(asked.spec, accept=("made_rows_untold",)))
            assert about_values(await accepted.examine()) == set()
        assert patient_value(patient, "SELECT last_value, is_called FROM drawn") == before
    finally:
        patient.run("ALTER TABLE looks DROP number")


async def test_a_relation_that_only_an_expression_reads_is_granted_by_name(
    patient: Patient,
) -> None:
    role = "looker"
    patient.run(
        'CREATE TABLE "Other ""one""!" (id int)',
        "CREATE VIEW seldom AS SELECT 1 AS n FROM passes",
        f"CREATE ROLE {role}",
        f"GRANT SELECT ON people, prints, looks TO {role}",
        f"GRANT INSERT, UPDATE, DELETE ON looks TO {role}; GRANT USAGE ON looks_id_seq TO {role}",
    )
    said = {
        "counts": "seen",
        "set": {"seen": "NOT EXISTS (SELECT FROM seldom)"},
        "defaults": {"seen": 'true OR EXISTS (TABLE public."Other ""one""!")'},
    }
    try:
        asked = saying(patient, **said)
        facts = await asked.facts()
        assert {(one.name, *one.settings) for one in facts.read_elsewhere} == {
            ("seldom", "catalog.impressions.set.seen"),
            ('Other "one"!', "catalog.impressions.defaults.seen"),
        }
        examination = await asked.examine(role=role)
        lacking = [one for one in examination.findings if one.code == "no_select_elsewhere"]
        assert {one.blocks for one in lacking} == {Blocks.HEALING}
        assert "set_unusable" not in {one.code for one in examination.findings}
        patient.run(*(one.statements for one in lacking))
        left = {one.code for one in (await asked.examine(role=role)).findings}
        assert not left & {"no_select_elsewhere", "set_unusable", "default_unusable"}
    finally:
        patient.run(
            f"DROP OWNED BY {role}; DROP ROLE {role}",
            'DROP TABLE "Other ""one""!"; DROP VIEW seldom',
        )


async def test_a_key_that_several_rows_have_is_no_key(patient: Patient) -> None:
    finding = only(await saying(patient, key=("kind", "wing")).examine(), "key_not_unique")
    assert finding.problem == "Some rows have the same kind, wing."
    assert finding.blocks is Blocks.HEALING
    for key, where in ((("person", "print"), None), (("wing",), "id = 1"), (("nowhere",), None)):
        said = saying(patient, key=key, where=where)
        assert "key_not_unique" not in {one.code for one in (await said.examine()).findings}


def patient_value(patient: Patient, query: str) -> object:
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        return connection.execute(query.encode()).fetchall()
