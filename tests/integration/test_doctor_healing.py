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


async def test_a_column_that_must_be_given_wants_a_default(patient: Patient) -> None:
    patient.run(
        APP,
        "CREATE DOMAIN source AS varchar(10) NOT NULL",
        "ALTER TABLE user_art_impressions ALTER COLUMN id DROP DEFAULT, "
        "ADD COLUMN origin source, ADD COLUMN seen boolean NOT NULL",
    )
    examination = await patient.examine()
    remedies = {f.remedy for f in examination.findings if f.code == "column_without_default"}
    assert remedies == {
        'catalog.impressions.defaults: {id: "gen_random_uuid()::text"}',
        "catalog.impressions.defaults: {origin: \"''\"}",
        'catalog.impressions.defaults: {seen: "false"}',
    }
    given = {"id": "gen_random_uuid()::text", "origin": "'backfill'", "seen": "false"}
    assert (await with_defaults(patient, given).examine()).blocking() == ()


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
    patient.run(finding.remedy)
    assert (await patient.examine()).blocking() == ()


async def test_a_read_only_role_can_count_but_not_heal(patient: Patient) -> None:
    patient.run(
        APP,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', "
        "current_database()); END $$",
    )
    examination = await patient.examine()
    assert only(examination, "transactions_read_only").blocks is Blocks.HEALING
    assert examination.blocking(Blocks.COUNTING) == ()
