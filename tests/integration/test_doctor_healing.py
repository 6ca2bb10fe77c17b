"""The doctor on real servers: what an insert stumbles over, and what it sets off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from checks.doctor.findings import Blocks, Severity
from checks.spec import CatalogueSpec, ImpressionsSpec
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import APP


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(database_url)


def with_defaults(patient: Patient, defaults: Mapping[str, str]) -> Patient:
    return replace(patient, spec=CatalogueSpec(impressions=ImpressionsSpec(defaults=defaults)))


async def test_a_column_that_must_be_given_wants_a_default_and_none_is_guessed(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "CREATE DOMAIN source AS varchar(10) NOT NULL",
        "CREATE TYPE way AS ENUM ('feed', 'mail')",
        "ALTER TABLE user_art_impressions ALTER COLUMN id DROP DEFAULT, "
        "ADD COLUMN origin source, ADD COLUMN seen boolean NOT NULL, "
        "ADD COLUMN organization_id uuid NOT NULL, ADD COLUMN kind way NOT NULL, "
        "ADD COLUMN times integer NOT NULL",
    )
    examination = await patient.examine()
    asked = [f for f in examination.findings if f.code == "column_without_default"]
    assert {f.subject.rpartition(".")[2] for f in asked} == {
        *("id", "origin", "seen", "organization_id", "kind", "times")
    }
    assert not any(f.settings or f.statements for f in asked)
    assert all("Only you know what belongs there" in f.remedy for f in asked)
    given = {
        "id": "gen_random_uuid()::text",
        "origin": "'backfill'",
        "seen": "false",
        "organization_id": "gen_random_uuid()",
        "kind": "'feed'",
        "times": "1",
    }
    assert (await with_defaults(patient, given).examine()).blocking() == ()


async def test_nothing_is_asked_of_columns_that_may_be_those_that_are_not_found(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions ALTER viewed_at DROP DEFAULT, "
        "ADD COLUMN updated_at timestamptz NOT NULL",
    )
    for name, asked in (("viewed_at", 1), ("viewedAt", 1), ("looked_at", 0)):
        spec = CatalogueSpec(impressions=ImpressionsSpec(viewed_at=name))
        examination = await replace(patient, spec=spec).examine()
        found = [f for f in examination.findings if f.code == "column_without_default"]
        assert [f.subject for f in found] == ["user_art_impressions.updated_at"] * asked


_DRAWN = "gen_random_uuid()"
_ORDERED = "('01890000-0000-7000-8000-' || lpad(g::text, 12, '0'))"


@pytest.mark.parametrize(
    ("declared", "drawn", "more", "proposed"),
    [
        ("uuid", _DRAWN, "", "gen_random_uuid()"),
        ("text", _DRAWN, "", "gen_random_uuid()::text"),
        ("varchar(36)", _DRAWN, "", "gen_random_uuid()::text"),
        ("varchar(40)", _DRAWN, "", None),
        ("text", "upper(gen_random_uuid()::text)", "", None),
        ("text", "'view ' || g", "", None),
        ("uuid", f"{_ORDERED}::uuid", "", None),
        ("uuid", _DRAWN, "CREATE TABLE likes (id uuid REFERENCES user_art_impressions)", None),
        ("uuid", _DRAWN, "TRUNCATE user_art_impressions", None),
    ],
)
async def test_a_key_is_proposed_only_where_all_are_random_and_nothing_refers_to_them(
    patient: Patient, declared: str, drawn: str, more: str, proposed: str | None
) -> None:
    patient.run(
        APP,
        "INSERT INTO users (id) SELECT g::text FROM generate_series(1, 9) g",
        "INSERT INTO art_sessions (id) VALUES ('a')",
        "ALTER TABLE user_art_impressions DROP COLUMN id",
        f"ALTER TABLE user_art_impressions ADD COLUMN id {declared}",
        "INSERT INTO user_art_impressions (id, user_id, artwork_id)"
        f" SELECT {drawn}, g::text, 'a' FROM generate_series(1, 9) g",
        "ALTER TABLE user_art_impressions ADD PRIMARY KEY (id)",
        more or "SELECT 1",
    )
    finding = only(await patient.examine(), "column_without_default")
    wanted = {} if proposed is None else {"catalog.impressions.defaults": {"id": proposed}}
    assert finding.settings == wanted


_SEEN_WINGS = (
    "INSERT INTO wings VALUES (1), (2); INSERT INTO users (id) VALUES ('u');"
    " INSERT INTO art_sessions (id) SELECT g::text FROM generate_series(1, 40) AS g;"
    " UPDATE art_sessions SET {own} = 1 + id::int % 2;"
    " INSERT INTO user_art_impressions (id, user_id, artwork_id, wing_id)"
    " SELECT 'i' || id, 'u', id, {seen} FROM art_sessions"
)
_DIFFERS = _SEEN_WINGS.format(own="n", seen="1 + id::int / 3 % 2")


@pytest.mark.parametrize(
    ("owners", "references", "rows", "proposed"),
    [
        ("wing_id int REFERENCES wings", "REFERENCES wings", "", "artwork.wing_id"),
        ("wing int REFERENCES wings", "REFERENCES wings", "", "artwork.wing"),
        ("x int REFERENCES wings, ADD y int REFERENCES wings", "REFERENCES wings", "", None),
        (
            'x int REFERENCES wings, ADD "Y" int REFERENCES wings',
            "REFERENCES wings",
            _SEEN_WINGS.format(own='"Y"', seen='"Y"'),
            'artwork."Y"',
        ),
        ("n int REFERENCES wings", "REFERENCES wings", _DIFFERS, None),
        ("n int", "REFERENCES wings", "", None),
        ("wing_id int", "", "", None),
        ("wing_id int", "", _SEEN_WINGS.format(own="wing_id", seen="wing_id"), "artwork.wing_id"),
        ("wing_id text", "", _SEEN_WINGS.format(own="wing_id", seen="1"), None),
    ],
)
async def test_a_value_that_is_the_artworks_own_is_proposed_where_keys_or_rows_say_so(
    patient: Patient, owners: str, references: str, rows: str, proposed: str | None
) -> None:
    patient.run(
        APP,
        "CREATE TABLE wings (id int PRIMARY KEY)",
        f"ALTER TABLE art_sessions ADD {owners}",
        f"ALTER TABLE user_art_impressions ADD wing_id int NOT NULL {references}",
        rows or "SELECT 1",
    )
    finding = only(await patient.examine(), "column_without_default")
    assert finding.blocks is Blocks.HEALING
    wanted = {} if proposed is None else {"catalog.impressions.defaults": {"wing_id": proposed}}
    assert finding.settings == wanted
    assert proposed or "say it under" in finding.remedy


@pytest.mark.parametrize(
    ("declared", "expression", "proposed"),
    [
        ("timestamp", "now()", "timezone('UTC', now())"),
        ("timestamp", "CURRENT_TIMESTAMP", "timezone('UTC', now())"),
        ("timestamp(3)", "clock_timestamp()", "timezone('UTC', now())"),
        ("date", "current_date", "timezone('UTC', now())::date"),
        ("timestamp", "now() - interval '1 hour'", "told"),
        ("timestamp", "'now'::timestamp", "told"),
        ("timestamp", "to_timestamp(1772600767)", "told"),
        ("timestamp", "now() AT TIME ZONE 'UTC'", None),
        ("timestamp", "timezone('UTC', now())", None),
        ("timestamp", "'2026-01-01'", None),
        ("timestamptz", "now()", None),
        ("text", "now()::text", None),
    ],
)
async def test_local_time_is_refused_in_a_column_without_time_zone(
    patient: Patient, declared: str, expression: str, proposed: str | None
) -> None:
    patient.run(APP, f"ALTER TABLE user_art_impressions ADD made {declared}")
    away = replace(patient, url=f"{patient.url}&options=-ctimezone%3DEurope/Berlin")
    examination = await with_defaults(away, {"made": expression}).examine()
    if proposed is None:
        assert examination.blocking() == ()
        return
    finding = only(examination, "default_in_session_zone")
    assert finding.blocks is Blocks.HEALING
    assert "Europe/Berlin" in finding.problem
    if proposed == "told":
        assert "timezone('UTC', now())" in finding.remedy
        return
    assert finding.settings == {"catalog.impressions.defaults": {"made": proposed}}
    assert (await with_defaults(away, {"made": proposed}).examine()).blocking() == ()
    at_home = replace(patient, url=f"{patient.url}&options=-ctimezone%3DGMT")
    assert (await with_defaults(at_home, {"made": expression}).examine()).blocking() == ()


@pytest.mark.parametrize(
    ("defaults", "problem"),
    [
        ({"versoin": "1"}, "Similar columns: version"),
        ({"version": "'one'"}, "invalid input syntax for type integer"),
        ({"version": "generate_series(1, 2)"}, "set-returning functions are not allowed"),
        ({"version": "max(1)"}, "aggregate functions are not allowed"),
        ({"version": "version + 1"}, 'column "version" does not exist'),
        ({"version": "1; SELECT 2"}, "syntax error"),
        ({"user_id": "'u'"}, "filled with the impression itself"),
        ({"twice": "1"}, "GENERATED ALWAYS"),
        ({"always": "1"}, "GENERATED ALWAYS"),
    ],
)
async def test_a_default_that_can_not_fill_its_column_is_refused(
    patient: Patient, defaults: dict[str, str], problem: str
) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions "
        "ADD COLUMN twice integer GENERATED ALWAYS AS (version * 2) STORED, "
        "ADD COLUMN always integer GENERATED ALWAYS AS IDENTITY",
    )
    finding = only(await with_defaults(patient, defaults).examine(), "default_unusable")
    assert problem in finding.problem
    assert finding.blocks is Blocks.HEALING


async def test_a_default_may_use_percent_signs_and_comments(patient: Patient) -> None:
    patient.run(APP)
    defaults = {"version": "7 % 4 -- three"}
    assert (await with_defaults(patient, defaults).examine()).blocking() == ()


async def test_rules_triggers_and_publications_are_reported(patient: Patient) -> None:
    patient.run(
        APP,
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER announce AFTER INSERT ON user_art_impressions "
        "FOR EACH ROW EXECUTE FUNCTION tell()",
        "CREATE TRIGGER quiet AFTER INSERT ON user_art_impressions "
        "FOR EACH ROW EXECUTE FUNCTION tell()",
        "ALTER TABLE user_art_impressions DISABLE TRIGGER quiet",
        "CREATE TRIGGER gone AFTER DELETE ON user_art_impressions "
        "FOR EACH ROW EXECUTE FUNCTION tell()",
        "CREATE PUBLICATION feed FOR TABLE user_art_impressions",
        "CREATE PUBLICATION deletions FOR ALL TABLES WITH (publish = 'delete')",
        "CREATE RULE copy AS ON INSERT TO user_art_impressions DO ALSO NOTHING",
    )
    examination = await patient.examine()
    assert only(examination, "insert_triggers").problem == "Triggers fire on INSERT: announce."
    assert only(examination, "publications").problem == "Inserts are published: feed."
    assert codes(examination, Severity.WARNING) >= {"insert_triggers", "publications"}
    finding = only(examination, "write_rules")
    assert finding.blocks is Blocks.HEALING
    assert not finding.statements


async def test_a_read_only_role_can_count_but_not_heal(patient: Patient) -> None:
    patient.run(
        APP,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', "
        "current_database()); END $$",
    )
    examination = await patient.examine()
    assert only(examination, "transactions_read_only").blocks is Blocks.HEALING
    assert examination.blocking(Blocks.COUNTING) == ()
