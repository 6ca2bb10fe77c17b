"""The doctor on real servers: what proves a pair unique, and that it belongs to somebody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
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
    assert finding.statements.startswith("CREATE UNIQUE INDEX CONCURRENTLY")
    assert "will refuse a second row of a pair" in finding.remedy
    patient.run(finding.statements)
    assert (await patient.examine()).blocking() == ()


async def test_where_pairs_are_there_twice_they_are_listed_and_no_index_is_proposed(
    patient: Patient,
) -> None:
    patient.run(TABLES, DUPLICATES)
    finding = only(await patient.examine(), "pair_index_missing")
    assert "several times now" in finding.remedy
    assert "HAVING count(*) > 1" in finding.remedy
    assert finding.statements == ""


async def test_an_index_is_not_proposed_where_pairs_could_not_be_looked_at(
    patient: Patient,
) -> None:
    patient.run(TABLES, "INSERT INTO users SELECT g::text FROM generate_series(1, 300) g")
    patient.run("INSERT INTO art_sessions SELECT g::text FROM generate_series(1, 300) g")
    patient.run(
        "INSERT INTO user_art_impressions (id, user_id, artwork_id)"
        " SELECT u.id || '.' || a.id, u.id, a.id FROM users u, art_sessions a"
    )
    hasty = replace(patient, patience=timedelta(milliseconds=1))
    finding = only(await hasty.examine(), "pair_index_missing")
    assert "could not be told in time" in finding.remedy
    assert finding.statements == ""


async def test_an_invalid_unique_index_is_rebuilt(patient: Patient) -> None:
    patient.run(
        TABLES,
        "CREATE UNIQUE INDEX half ON user_art_impressions (artwork_id, user_id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
    )
    finding = only(await patient.examine(), "pair_index_invalid")
    assert finding.statements == 'REINDEX INDEX CONCURRENTLY "public"."half";'
    patient.run(finding.statements)
    assert (await patient.examine()).blocking() == ()


@pytest.mark.parametrize(
    ("index", "code", "proposed"),
    [
        ("(user_id, artwork_id) WHERE bridge_at IS NULL", "pair_index_partial", False),
        ("(lower(user_id), artwork_id)", "pair_index_expression", True),
        ("(user_id, artwork_id, version)", "pair_index_wider", False),
    ],
)
async def test_an_index_that_only_looks_right_is_named_and_none_that_forbids_more_is_proposed(
    patient: Patient, index: str, code: str, proposed: bool
) -> None:
    patient.run(TABLES, f"CREATE UNIQUE INDEX looks_right ON user_art_impressions {index}")
    finding = only(await patient.examine(), code)
    assert finding.subject == '"public"."looks_right"'
    assert finding.blocks is Blocks.HEALING
    assert bool(finding.statements) is proposed
    if proposed:
        patient.run(finding.statements)
        assert code not in codes(await patient.examine())


async def test_a_deferrable_constraint_is_an_error_even_beside_a_good_index(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions "
        "ADD CONSTRAINT late UNIQUE (user_id, artwork_id) DEFERRABLE",
    )
    finding = only(await patient.examine(), "pair_index_deferrable")
    assert "owner decides" in finding.remedy
    assert finding.statements == ""
    patient.run("ALTER TABLE user_art_impressions DROP CONSTRAINT late")
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
    assert "partition key (viewed_at)" in finding.remedy
    assert finding.statements == ""


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
    assert finding.blocks is Blocks.HEALING
    assert finding.statements == ""


async def test_keys_that_prove_nothing_are_advice_and_stay_as_they_are(patient: Patient) -> None:
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
    told, proposed = {"pair_nullable", "foreign_key_missing"}, {"foreign_key_not_valid"}
    proposed.add("artwork_index_missing")
    assert told | proposed <= codes(examination, Severity.ADVICE)
    for finding in examination.findings:
        assert bool(finding.statements) is (finding.code in proposed | {"never_analysed"}), finding
        if finding.statements:
            patient.run(*finding.statements.splitlines())
    after = await patient.examine()
    assert not proposed & codes(after)
    assert told <= codes(after)
    assert after.catalogue is not None
    assert after.catalogue.impressions_belong_to_users


async def test_a_key_over_rows_that_lead_nowhere_is_not_to_be_validated(patient: Patient) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey",
        "INSERT INTO art_sessions (id) VALUES ('a')",
        "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('nobody', 'a')",
        "ALTER TABLE user_art_impressions ADD CONSTRAINT owner FOREIGN KEY (user_id) "
        "REFERENCES users NOT VALID",
    )
    finding = only(await patient.examine(), "foreign_key_not_valid")
    assert "Some lead nowhere" in finding.problem
    assert finding.statements == ""
    assert "DELETE" not in finding.mending
    listing = finding.remedy.partition("To list them: ")[2]
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        [row] = connection.execute(listing.encode()).fetchall()
    assert "nobody" in row


async def test_a_key_that_leads_to_another_table_makes_no_orphans(patient: Patient) -> None:
    patient.run(
        APP,
        "CREATE TABLE people (id varchar PRIMARY KEY)",
        "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey, "
        "ADD CONSTRAINT person FOREIGN KEY (user_id) REFERENCES people",
    )
    examination = await patient.examine()
    finding = only(examination, "foreign_key_elsewhere")
    assert "person leads to public.people, and not to users" in finding.problem
    assert "no orphans" in finding.consequence
    assert "foreign_key_missing" not in codes(examination)


async def test_a_foreign_key_whose_triggers_are_off_proves_nothing(patient: Patient) -> None:
    patient.run(APP, "ALTER TABLE user_art_impressions DISABLE TRIGGER ALL")
    examination = await patient.examine()
    findings = [f for f in examination.findings if f.code == "foreign_key_not_valid"]
    assert len(findings) == 2
    assert "switched off" in findings[0].problem
    assert not any(finding.statements for finding in findings)
    assert examination.catalogue is not None
    assert not examination.catalogue.impressions_belong_to_users
