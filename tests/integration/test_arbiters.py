"""What the planner proves to be unique is what PostgreSQL then takes as an arbiter, and nothing
else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import psycopg
import pytest
import yaml

from checks.catalogue import Facts
from checks.spec import CatalogueSpec, ImpressionsSpec, PairsSpec
from monitor.config.model import parse_config
from tests.integration.doctor_help import Patient, codes, only
from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import POOLS, documents, stranger_gallery

_TABLES = """
CREATE TYPE kind AS ENUM ('print', 'film');
CREATE DOMAIN word AS text CHECK (value <> '');
CREATE TABLE users (id int PRIMARY KEY);
CREATE TABLE art_sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE looks (
    user_id int NOT NULL, artwork_id int NOT NULL, viewed_at timestamptz,
    name varchar(10), kind kind, big bigint, shown boolean, word word, other int DEFAULT 7,
    seen_at timestamptz, gone_at timestamptz);
INSERT INTO users VALUES (1);
INSERT INTO art_sessions VALUES (1);
"""
_ROW = """
INSERT INTO looks VALUES
    (1, 1, now(), 'print', 'print', 1, true, 'x', 7, now(), NULL)
"""


@dataclass(frozen=True)
class Case:
    """A unique index, what the operator says, and what is to come of it."""

    index: str
    where: str | None = None
    counts: str | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    """What is to be named beside the pair; None: no arbiter."""
    partial: bool = False


PROVEN = (
    Case("(user_id, artwork_id, name)", "name = 'print'", columns=("name",)),
    Case("(name, artwork_id, user_id)", "name IN ('print') -- one", columns=("name",)),
    Case("(user_id, artwork_id, name)", "name::text = ANY (ARRAY['print'])", columns=("name",)),
    Case("(user_id, artwork_id, name)", "other > 3 AND (name = 'print')", columns=("name",)),
    Case("(user_id, artwork_id, name)", "other > 3", "name = 'print'", columns=("name",)),
    Case("(user_id, artwork_id, kind)", "kind = 'print'", columns=("kind",)),
    Case("(user_id, artwork_id, big)", "big = 1", columns=("big",)),
    Case("(user_id, artwork_id, word)", "word = 'x'", columns=("word",)),
    Case("(user_id, artwork_id, shown)", "shown", columns=("shown",)),
    Case("(user_id, artwork_id, shown)", "shown IS TRUE", columns=("shown",)),
    Case("(user_id, artwork_id, shown)", "NOT shown", columns=("shown",)),
    Case(
        "(user_id, artwork_id, name)",
        "name LIKE 'pr%' AND name = 'print'",
        columns=("name",),
    ),
    Case(
        "(name, user_id, big, artwork_id)",
        "name = 'print' AND big IN (1)",
        columns=("name", "big"),
    ),
    Case(
        "(user_id, artwork_id) WHERE gone_at IS NULL", "gone_at IS NULL", columns=(), partial=True
    ),
    Case(
        "(user_id, artwork_id) WHERE seen_at IS NOT NULL",
        counts="seen_at > '2000-01-01'",
        columns=(),
        partial=True,
    ),
    Case(
        "(user_id, artwork_id, name) WHERE other > 3",
        "other = 7 AND name = 'print'",
        columns=("name",),
        partial=True,
    ),
)
REFUSED = (
    Case("(user_id, artwork_id, name)"),
    Case("(user_id, artwork_id, name)", "name = 'print' OR other = 7"),
    Case("(user_id, artwork_id, name)", "name IN ('print', 'film')"),
    Case("(user_id, artwork_id, name)", "name >= 'print'"),
    Case("(user_id, artwork_id, name)", "name IS NULL"),
    Case("(user_id, artwork_id, name)", "name = name", defaults={"name": "name"}),
    Case("(user_id, artwork_id, name)", "other = 7"),
    Case("(user_id, artwork_id, name)", "name LIKE 'print'"),
    Case("(user_id, artwork_id, name)", "name = 'print' AND no_such_column"),
    Case("(user_id, artwork_id, name)", "name = 'print' AND name = 'film'"),
    Case("(user_id, artwork_id, name, other)", "name = 'print'"),
    Case("(user_id, artwork_id, lower(name))", "name = 'print'"),
    Case("(user_id, name)", "name = 'print'"),
    Case("(user_id, artwork_id, shown)", "shown IS NOT TRUE"),
    Case("(user_id, artwork_id) WHERE gone_at IS NULL", "seen_at IS NOT NULL"),
    Case("(user_id, artwork_id) WHERE gone_at IS NULL", "gone_at IS NULL OR other = 7"),
)


@pytest.fixture(scope="module")
def patient(server: PostgresServer) -> Iterator[Patient]:
    with cloned(server, EMPTY) as url:
        made = Patient(url)
        made.run(_TABLES, _ROW)
        yield made


def described(patient: Patient, case: Case, **more: object) -> Patient:
    patient.run("DROP INDEX IF EXISTS covers", f"CREATE UNIQUE INDEX covers ON looks {case.index}")
    impressions = ImpressionsSpec(
        table="looks",
        where=case.where,
        counts=case.counts,
        defaults=case.defaults,
        **more,  # type: ignore[arg-type]
    )
    return replace(patient, spec=replace(CatalogueSpec(), impressions=impressions))


def taken(patient: Patient, facts: Facts) -> bool:
    """Whether PostgreSQL takes what was found as the arbiter of a second row of the pair."""
    arbiter = facts.arbiter
    assert arbiter is not None
    where = "" if arbiter.predicate is None else f"WHERE ({arbiter.predicate})"
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        again = connection.execute(
            f"INSERT INTO looks SELECT * FROM looks"
            f" ON CONFLICT ({', '.join(arbiter.columns)}) {where} DO NOTHING".encode()
        )
        written = again.rowcount
        connection.rollback()
    return written == 0


@pytest.mark.parametrize("case", PROVEN, ids=lambda case: f"{case.index} {case.where}")
async def test_an_index_that_makes_rows_that_count_unique_arbitrates(
    patient: Patient, case: Case
) -> None:
    one = described(patient, case)
    facts = await one.facts()
    assert facts.arbiter is not None
    assert facts.arbiter.columns == ("user_id", "artwork_id", *(case.columns or ()))
    assert (facts.arbiter.predicate is not None) is case.partial
    assert facts.require().pair_is_unique
    assert taken(patient, facts)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.index} {case.where}")
async def test_an_index_that_leaves_room_for_a_second_row_does_not(
    patient: Patient, case: Case
) -> None:
    facts = await described(patient, case).facts()
    assert facts.arbiter is None
    assert not facts.require().pair_is_unique


async def test_where_no_row_is_there_the_value_is_what_a_new_row_gets(patient: Patient) -> None:
    given = Case("(user_id, artwork_id, name)", "name = 'map'")
    assert (await described(patient, given).facts()).arbiter is None
    told = replace(given, defaults={"name": "'map'"})
    found = (await described(patient, told).facts()).arbiter
    assert found is not None
    assert found.columns == ("user_id", "artwork_id", "name")
    own = Case("(user_id, artwork_id, other)", "other = 7 AND name = 'map'")
    assert (await described(patient, own).facts()).arbiter is not None


async def test_a_deferrable_twin_takes_an_index_its_office(patient: Patient) -> None:
    case = Case("(user_id, artwork_id, name)", "name = 'print'")
    one = described(patient, case)
    patient.run(
        "ALTER TABLE looks ADD CONSTRAINT late UNIQUE (user_id, artwork_id, name) DEFERRABLE"
    )
    try:
        assert (await one.facts()).arbiter is None
    finally:
        patient.run("ALTER TABLE looks DROP CONSTRAINT late")


async def test_a_partitioned_table_without_partitions_proves_nothing(patient: Patient) -> None:
    patient.run(
        "CREATE TABLE parted (user_id int NOT NULL, artwork_id int NOT NULL, viewed_at timestamptz,"
        " name text, UNIQUE (user_id, artwork_id, name)) PARTITION BY LIST (name)"
    )
    spec = ImpressionsSpec(table="parted", where="name > 'a'")
    one = replace(patient, spec=replace(CatalogueSpec(), impressions=spec))
    assert (await one.facts()).arbiter is None
    patient.run("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN ('print', 'film')")
    assert (await one.facts()).arbiter is None
    fixed = replace(spec, where="name = 'print'", defaults={"name": "'print'"})
    one = replace(patient, spec=replace(CatalogueSpec(), impressions=fixed))
    assert (await one.facts()).arbiter is not None


async def test_the_questions_leave_no_setting_behind_and_need_no_right_but_to_read(
    patient: Patient,
) -> None:
    patient.run(
        "DO $$ BEGIN IF to_regrole('arbiter_reader') IS NULL"
        " THEN CREATE ROLE arbiter_reader; END IF; END $$",
        "GRANT SELECT ON users, art_sessions, looks TO arbiter_reader",
    )
    one = described(patient, PROVEN[0])
    examination = await one.examine(role="arbiter_reader")
    assert examination.catalogue is not None
    assert examination.catalogue.arbiter is not None


@pytest.mark.parametrize(
    ("case", "code", "told"),
    [
        (Case("(user_id, artwork_id, name)"), "pair_index_wider", "one name are impressions"),
        (
            Case("(user_id, artwork_id) WHERE gone_at IS NULL"),
            "pair_index_partial",
            "counts: (gone_at IS NULL)",
        ),
    ],
)
async def test_the_proposal_is_a_setting_which_mends_it(
    patient: Patient, case: Case, code: str, told: str
) -> None:
    finding = only(await described(patient, case).examine(), code)
    assert finding.statements == ""
    assert told in finding.remedy
    assert finding.settings == {"catalog.impressions.several": True}
    after = await described(patient, case, several=True).examine()
    assert not {one for one in codes(after) if one.startswith("pair_index")}


GALLERIES = (
    # Through a view with the venue in its key, by where, and where ids are computed.
    ("composite_keys", 0, ("patron_no", "sheet_no", "venue_id"), True),
    ("composite_keys", 1, ("patron_no", "sheet_no", "venue_id"), True),
    ("composite_keys", 2, None, False),
    ("anonymous", 0, None, True),
    ("anonymous", 1, None, True),
    ("status_rows", 0, ("people_no", "work_no"), True),
    ("tenants", 0, None, True),
)
_ABOUT_WRITING = "pair_index", "impressions_not", "view_", "other_unique", "ids_not_unique"


@on_one_server
@pytest.mark.parametrize(("name", "number", "columns", "writes"), GALLERIES)
async def test_galleries_are_written_to_as_their_keys_allow(
    server: PostgresServer, name: str, number: int, columns: tuple[str, ...] | None, writes: bool
) -> None:
    with stranger_gallery(server, name) as gallery:
        if name == "status_rows":
            gallery.run(
                "CREATE UNIQUE INDEX ON dealings (people_no, work_no) WHERE seen_at IS NOT NULL"
            )
        document = {"database": {"url": gallery.url}, "catalog": documents(name)[number]}
        text = yaml.safe_dump({**document, "pools": POOLS})
        settings = parse_config(text, {}, source="config.yaml", base_dir=None)
        patient = Patient(gallery.url, settings.catalog_spec(), settings.pools_spec())
        examination = await patient.examine()
        assert examination.catalogue is not None
        found = examination.catalogue.arbiter
        assert (None if found is None else found.columns) == columns
        told = {one for one in codes(examination) if one.startswith(_ABOUT_WRITING)}
        assert told == (set() if writes else {"impressions_not_a_table"})
        if not writes:
            assert "computes patron, sheet" in only(examination, *told).problem
        if settings.catalog_spec().pairs == PairsSpec():
            only_venue = "u LIKE '1/%'" if name == "composite_keys" else "true"
            assert await patient.census() == gallery.counts(only_venue)
