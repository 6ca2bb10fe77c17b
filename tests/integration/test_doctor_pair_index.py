"""The doctor on real servers: what proves a pair unique, and that it belongs to somebody."""

from __future__ import annotations

import pytest

from checks.doctor.findings import Blocks, Severity
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import APP, DUPLICATES, TABLES, TIME_PARTITIONED


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(database_url)


async def test_no_unique_index_blocks_healing_and_the_remedy_mends_it(patient: Patient) -> None:
    patient.run(TABLES)
    examination = await patient.examine()
    finding = only(examination, "pair_index_missing")
    assert finding.blocks is Blocks.HEALING
    assert finding.remedy.startswith("CREATE UNIQUE INDEX CONCURRENTLY")
    assert "several times" not in finding.problem
    patient.run(finding.remedy)
    assert (await patient.examine()).blocking() == ()


async def test_duplicates_are_told_together_with_the_missing_index(patient: Patient) -> None:
    patient.run(TABLES, DUPLICATES)
    finding = only(await patient.examine(), "pair_index_missing")
    assert "several times now" in finding.problem
    assert "HAVING count(*) > 1" in finding.problem


async def test_an_invalid_unique_index_is_rebuilt(patient: Patient) -> None:
    patient.run(
        TABLES,
        "CREATE UNIQUE INDEX half ON user_art_impressions (artwork_id, user_id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
    )
    finding = only(await patient.examine(), "pair_index_invalid")
    assert finding.remedy == 'REINDEX INDEX CONCURRENTLY "public"."half";'
    patient.run(finding.remedy)
    assert (await patient.examine()).blocking() == ()


@pytest.mark.parametrize(
    ("index", "code"),
    [
        ("(user_id, artwork_id) WHERE bridge_at IS NULL", "pair_index_partial"),
        ("(lower(user_id), artwork_id)", "pair_index_expression"),
        ("(user_id, artwork_id, version)", "pair_index_wider"),
    ],
)
async def test_an_index_that_only_looks_right_is_named_and_replaced(
    patient: Patient, index: str, code: str
) -> None:
    patient.run(TABLES, f"CREATE UNIQUE INDEX looks_right ON user_art_impressions {index}")
    finding = only(await patient.examine(), code)
    assert finding.subject == '"public"."looks_right"'
    patient.run(finding.remedy)
    assert code not in codes(await patient.examine())


async def test_a_deferrable_constraint_is_an_error_even_beside_a_good_index(
    patient: Patient,
) -> None:
    patient.run(
        TABLES,
        "ALTER TABLE user_art_impressions "
        "ADD CONSTRAINT late UNIQUE (user_id, artwork_id) DEFERRABLE",
    )
    finding = only(await patient.examine(), "pair_index_deferrable")
    create, drop = finding.remedy.splitlines()
    patient.run(create)
    assert only(await patient.examine(), "pair_index_deferrable").remedy == drop
    patient.run(drop)
    assert (await patient.examine()).blocking() == ()


async def test_included_columns_and_nulls_not_distinct_are_fine(patient: Patient) -> None:
    patient.run(
        TABLES,
        "CREATE UNIQUE INDEX ON user_art_impressions (artwork_id, user_id) "
        "INCLUDE (viewed_at) NULLS NOT DISTINCT",
    )
    assert (await patient.examine()).blocking() == ()


async def test_a_partition_key_outside_the_pair_is_explained(patient: Patient) -> None:
    patient.run(TIME_PARTITIONED)
    finding = only(await patient.examine(), "pair_index_wider")
    assert "ON ONLY" in finding.remedy
    assert "partitioned by viewed_at" in finding.remedy


async def test_an_inheritance_child_escapes_every_unique_index(patient: Patient) -> None:
    patient.run(APP, "CREATE TABLE old () INHERITS (user_art_impressions)")
    examination = await patient.examine()
    assert "old" in only(examination, "pair_index_inherited").problem
    assert examination.catalogue is not None
    assert not examination.catalogue.pair_is_unique
    assert not examination.catalogue.impressions_belong_to_users


@pytest.mark.parametrize("columns", ["(user_id)", "(artwork_id)", "(user_id, viewed_at)"])
async def test_a_unique_index_on_less_than_the_pair_would_make_backfills_fail(
    patient: Patient, columns: str
) -> None:
    patient.run(APP, f"CREATE UNIQUE INDEX narrow ON user_art_impressions {columns}")
    finding = only(await patient.examine(), "other_unique_index")
    patient.run(finding.remedy)
    assert (await patient.examine()).blocking() == ()


async def test_keys_that_prove_nothing_are_advice_with_the_way_to_prove_them(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions ALTER COLUMN user_id DROP NOT NULL, "
        "DROP CONSTRAINT user_art_impressions_artwork_id_fkey, "
        "DROP CONSTRAINT user_art_impressions_user_id_fkey",
        "ALTER TABLE user_art_impressions ADD CONSTRAINT owner FOREIGN KEY (user_id) "
        "REFERENCES users NOT VALID",
        "DROP INDEX user_art_impressions_artwork_idx",
    )
    examination = await patient.examine()
    wanted = {
        "pair_nullable",
        "foreign_key_missing",
        "foreign_key_not_valid",
        "artwork_index_missing",
    }
    assert wanted <= codes(examination, Severity.ADVICE)
    for finding in examination.findings:
        if finding.code in wanted:
            patient.run(*finding.remedy.splitlines())
    after = await patient.examine()
    assert not wanted & codes(after)
    assert after.catalogue is not None
    assert after.catalogue.pair_is_unique
    assert after.catalogue.impressions_belong_to_users


async def test_a_foreign_key_whose_triggers_are_off_proves_nothing(patient: Patient) -> None:
    patient.run(APP, "ALTER TABLE user_art_impressions DISABLE TRIGGER ALL")
    examination = await patient.examine()
    findings = [f for f in examination.findings if f.code == "foreign_key_not_valid"]
    assert len(findings) == 2
    assert "switched off" in findings[0].problem
    assert examination.catalogue is not None
    assert not examination.catalogue.impressions_belong_to_users
    patient.run(*(line for finding in findings for line in finding.remedy.splitlines()))
    assert "foreign_key_not_valid" not in codes(await patient.examine())
