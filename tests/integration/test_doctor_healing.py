"""The doctor on real servers: everything that a backfill would stumble over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from checks.doctor import Blocks, Severity
from checks.spec import CatalogueSpec, ImpressionsSpec
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import (
    APP,
    ARTWORKS,
    DUPLICATES,
    TABLES,
    TIME_PARTITIONED,
    USERS,
)

ROLE = "doctor_reader"


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(database_url)


def with_defaults(patient: Patient, defaults: Mapping[str, str]) -> Patient:
    return replace(patient, spec=CatalogueSpec(impressions=ImpressionsSpec(defaults=defaults)))


async def test_no_unique_index_blocks_healing_and_the_remedy_mends_it(patient: Patient) -> None:
    patient.run(TABLES)
    examination = await patient.examine()
    finding = only(examination, "pair_index_missing")
    assert finding.blocks == {Blocks.HEALING}
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
    assert finding.blocks == {Blocks.HEALING}


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
    assert only(examination, "transactions_read_only").blocks == {Blocks.HEALING}
    assert examination.blocking(Blocks.COUNTING) == ()


@pytest.fixture
def stranger(patient: Patient) -> Patient:
    """A role without any rights, and impressions with a serial id."""
    patient.run(
        "CREATE SCHEMA gallery; SET search_path = gallery;"
        + USERS
        + ARTWORKS
        + """
        CREATE TABLE user_art_impressions (
            id bigserial PRIMARY KEY, user_id varchar NOT NULL, artwork_id varchar NOT NULL,
            viewed_at timestamptz NOT NULL, UNIQUE (user_id, artwork_id));
        """,
        f"DO $$ BEGIN IF to_regrole('{ROLE}') IS NULL THEN CREATE ROLE {ROLE}; END IF; END $$",
    )
    spec = CatalogueSpec()
    return replace(
        patient,
        spec=replace(
            spec,
            artworks=replace(spec.artworks, table="gallery.art_sessions"),
            users=replace(spec.users, table="gallery.users"),
            impressions=replace(spec.impressions, table="gallery.user_art_impressions"),
        ),
    )


async def test_the_remedies_give_a_stranger_exactly_what_is_needed(stranger: Patient) -> None:
    examination = await stranger.examine(role=ROLE)
    assert codes(examination, Severity.ERROR) == {
        "no_select",
        "no_insert",
        "no_sequence_usage",
        "state_schema_missing",
    }
    assert examination.catalogue is not None
    granted = [
        finding.remedy
        for finding in examination.findings
        if finding.code.startswith(("no_", "state_"))
    ]
    stranger.run(*granted)
    after = await stranger.examine(role=ROLE)
    assert after.blocking() == ()
    assert "no_delete" not in codes(after)


async def test_missing_insert_blocks_healing_but_not_counting(stranger: Patient) -> None:
    stranger.run(
        f"GRANT USAGE ON SCHEMA gallery TO {ROLE}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA gallery TO {ROLE}",
    )
    examination = await stranger.examine(role=ROLE)
    assert examination.blocking(Blocks.COUNTING) == ()
    assert "no_insert" in {finding.code for finding in examination.blocking(Blocks.HEALING)}


async def test_a_state_schema_of_somebody_else_is_an_error(stranger: Patient) -> None:
    stranger.run("CREATE SCHEMA conservator")
    finding = only(await stranger.examine(role=ROLE), "state_schema_unusable")
    stranger.run(finding.remedy)
    assert "state_schema_unusable" not in codes(await stranger.examine(role=ROLE))


async def test_row_level_security_counts_only_where_it_applies(stranger: Patient) -> None:
    stranger.run(
        f"GRANT USAGE ON SCHEMA gallery TO {ROLE}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA gallery TO {ROLE}",
        "ALTER TABLE gallery.users ENABLE ROW LEVEL SECURITY",
    )
    assert "row_security" not in codes(await stranger.examine())
    finding = only(await stranger.examine(role=ROLE), "row_security")
    assert finding.subject == "gallery.users"
    assert finding.blocks == frozenset(Blocks)
    stranger.run(finding.remedy)
    assert "row_security" not in codes(await stranger.examine(role=ROLE))
    stranger.run(f"ALTER ROLE {ROLE} NOBYPASSRLS")


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
