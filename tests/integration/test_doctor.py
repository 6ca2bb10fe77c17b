"""The doctor on real servers: tables, columns, types, filters, and the state around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from checks.doctor.findings import Blocks, Severity
from checks.spec import (
    ArtworksSpec,
    Audience,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    PoolsSpec,
    SharedColumns,
    ThroughSpec,
    UsersSpec,
)
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import (
    ANALYSED,
    APP,
    ARTWORKS,
    BARE_IMPRESSIONS,
    BIGINT,
    CAMEL_CASE,
    HASH_PARTITIONED,
    PAIR_INDEX,
    USERS,
)

CAMEL = CatalogueSpec(
    artworks=ArtworksSpec(table="Art Sessions", created_at="createdAt"),
    users=UsersSpec(table="User", created_at="createdAt"),
    impressions=ImpressionsSpec(
        table="UserArtImpression", user="userId", artwork="artworkId", viewed_at="viewedAt"
    ),
)
ODD = CatalogueSpec(
    artworks=ArtworksSpec(table='"my.gallery".pieces', created_at="made", owner="100% mine"),
    users=UsersSpec(table='"my.gallery"."my users"'),
    impressions=ImpressionsSpec(table='"my.gallery".seen', user="u", artwork="p", viewed_at="at"),
)


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(database_url)


async def test_the_apps_own_schema_is_sound(patient: Patient) -> None:
    patient.run(APP, ANALYSED)

    examination = await patient.examine()

    assert codes(examination, Severity.ERROR) == set()
    assert codes(examination, Severity.ADVICE) == {"moment_without_zone", "user_age_unused"}
    assert examination.catalogue is not None
    assert examination.catalogue.pair_is_unique
    assert examination.catalogue.impressions_belong_to_users
    assert examination.blocking() == ()


async def test_a_schema_in_camel_case_has_no_findings(patient: Patient) -> None:
    patient.run(CAMEL_CASE)
    examination = await replace(patient, spec=CAMEL).examine()
    assert examination.findings == ()


async def test_odd_names_dates_bigints_and_another_schema_are_no_errors(patient: Patient) -> None:
    patient.run(BIGINT)
    examination = await replace(patient, spec=ODD).examine()
    assert codes(examination, Severity.ERROR, Severity.WARNING) == set()
    assert codes(examination) >= {"moment_is_date", "foreign_key_missing", "user_index_missing"}
    assert "never_analysed" in codes(examination)


async def test_a_table_that_was_empty_when_it_was_analysed_is_to_be_analysed(
    patient: Patient,
) -> None:
    patient.run(APP, ANALYSED, "INSERT INTO users (id) VALUES ('u')")
    patient.run("DELETE FROM users", "ANALYZE users")
    patient.run(
        "INSERT INTO users (id) SELECT repeat(n::text, 40) FROM generate_series(1, 9999) AS n"
    )
    finding = only(await patient.examine(), "never_analysed")
    assert finding.subject == "users"
    assert finding.problem.endswith("seen the table empty, and it has 2 MiB of rows by now.")
    patient.run("ANALYZE users")
    assert "never_analysed" not in codes(await patient.examine())


async def test_a_missing_table_is_reported_with_the_name_that_was_meant(patient: Patient) -> None:
    patient.run(USERS, ARTWORKS, 'CREATE TABLE "UserArtImpressions" (id int)')
    examination = await patient.examine()
    finding = only(examination, "table_missing")
    assert finding.settings == {"catalog.impressions.table": "public.UserArtImpressions"}
    assert finding.blocks is Blocks.COUNTING
    assert examination.catalogue is None


async def test_a_table_off_the_search_path_is_found_for_the_remedy(patient: Patient) -> None:
    patient.run("CREATE SCHEMA gallery", "SET search_path = gallery;" + APP)
    examination = await patient.examine()
    proposed = [f.settings for f in examination.findings if f.code == "table_missing"]
    assert {"catalog.users.table": "gallery.users"} in proposed
    assert len(proposed) == 3


async def test_every_missing_column_is_reported_at_once(patient: Patient) -> None:
    patient.run(CAMEL_CASE)
    spec = replace(CAMEL, impressions=ImpressionsSpec(table="UserArtImpression"))
    examination = await replace(patient, spec=spec).examine()
    assert {f.mending for f in examination.findings if f.code == "column_missing"} == {
        "catalog.impressions.user: userId",
        "catalog.impressions.artwork: artworkId",
        "catalog.impressions.viewed_at: viewedAt",
    }
    assert examination.catalogue is None


async def test_a_name_that_is_only_alike_is_told_and_not_proposed(patient: Patient) -> None:
    patient.run(APP, "ALTER TABLE art_sessions RENAME created_at TO updated_at")
    patient.run("ALTER TABLE users RENAME TO user_roles")
    examination = await patient.examine()
    column, missing = (only(examination, f"{what}_missing") for what in ("column", "table"))
    assert "Similar columns: updated_at" in column.problem
    assert "public.user_roles" in missing.problem
    assert not column.settings
    assert not missing.settings


async def test_keys_without_an_operator_between_them_are_an_error(patient: Patient) -> None:
    patient.run(
        "CREATE TABLE users (id uuid PRIMARY KEY, created_at timestamptz)",
        ARTWORKS,
        BARE_IMPRESSIONS.replace("REFERENCES users ON DELETE CASCADE", "") + PAIR_INDEX,
    )
    spec = CatalogueSpec(artworks=ArtworksSpec(owner="user_id"))
    examination = await replace(patient, spec=spec).examine()
    findings = [f for f in examination.findings if f.code == "keys_not_comparable"]
    assert {f.subject for f in findings} == {
        "user_art_impressions.user_id = users.id",
        "art_sessions.user_id = users.id",
    }
    assert "operator does not exist" in findings[0].problem
    assert 'a view of public.users that has "id"::text as id' in findings[0].remedy
    patient.run("CREATE VIEW people AS SELECT id::text AS id FROM users")
    by_view = replace(spec, users=UsersSpec(table="people"))
    assert (await replace(patient, spec=by_view).examine()).blocking() == ()


async def test_what_pairs_are_found_by_has_to_be_comparable_and_not_of_one_type(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "ALTER TABLE users ADD team int, ADD hall uuid",
        "ALTER TABLE art_sessions ADD team bigint, ADD hall text",
        "CREATE TABLE visible (user_id int, artwork_id text)",
    )
    shared = tuple(SharedColumns(name, name) for name in ("team", "hall"))
    pairs = PairsSpec(shared, ThroughSpec("visible"))
    examination = await replace(patient, spec=CatalogueSpec(pairs=pairs)).examine()
    findings = [f for f in examination.findings if f.code == "keys_not_comparable"]
    assert {f.subject for f in findings} == {
        "users.hall = art_sessions.hall",
        "visible.user_id = users.id",
    }
    assert "key_types_differ" not in codes(examination)


async def test_keys_of_different_but_comparable_types_are_a_warning(patient: Patient) -> None:
    patient.run(BIGINT, 'ALTER TABLE "my.gallery".seen ALTER COLUMN p TYPE integer')
    finding = only(await replace(patient, spec=ODD).examine(), "key_types_differ")
    assert finding.severity is Severity.WARNING
    assert "integer" in finding.problem


async def test_a_key_that_has_no_order_is_an_error(patient: Patient) -> None:
    patient.run(APP, "CREATE VIEW odd_users AS SELECT id::json AS id FROM users")
    spec = CatalogueSpec(users=UsersSpec(table="odd_users"))
    assert "key_not_orderable" in codes(await replace(patient, spec=spec).examine())


@pytest.mark.parametrize("declared", ["jsonb", "int[]", "int8range", "a_document"])
async def test_a_key_that_is_made_of_parts_is_an_error(patient: Patient, declared: str) -> None:
    patient.run(
        "CREATE DOMAIN a_document AS jsonb NOT NULL",
        f"CREATE TABLE users (id {declared} PRIMARY KEY)",
        "CREATE TABLE art_sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL)",
        f"CREATE TABLE user_art_impressions (user_id {declared} NOT NULL, artwork_id int NOT NULL,"
        " viewed_at timestamptz NOT NULL, PRIMARY KEY (user_id, artwork_id))",
    )
    examination = await patient.examine()
    refused = [one for one in examination.findings if one.code == "key_not_an_id"]
    assert [one.subject for one in refused] == ["users.id", "user_art_impressions.user_id"]
    assert {one.blocks for one in refused} == {Blocks.COUNTING}
    assert (
        "catalog.users.id name a column whose type is a number, uuid or text" in refused[0].remedy
    )
    assert refused[0].statements == ""


async def test_collations_between_which_postgresql_does_not_choose_are_an_error(
    patient: Patient,
) -> None:
    patient.run(APP, 'ALTER TABLE users ALTER COLUMN id TYPE varchar COLLATE "POSIX"')
    assert "key_collations_differ" not in codes(await patient.examine())
    patient.run('ALTER TABLE user_art_impressions ALTER COLUMN user_id TYPE varchar COLLATE "C"')
    finding = only(await patient.examine(), "key_collations_differ")
    assert finding.blocks is Blocks.COUNTING
    for name in ('pg_catalog."C"', 'pg_catalog."POSIX"'):
        assert name in finding.problem
    with pytest.raises(psycopg.Error, match="could not determine which collation"):
        patient.run(
            "INSERT INTO users (id) VALUES ('x')",
            "INSERT INTO art_sessions (id) VALUES ('a')",
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('x', 'a')",
            "SELECT FROM users AS u JOIN user_art_impressions AS i ON i.user_id = u.id",
        )


async def test_a_filter_is_tried_and_the_servers_message_passed_on(patient: Patient) -> None:
    patient.run(APP)
    spec = CatalogueSpec(
        artworks=ArtworksSpec(where="NOT is_libary"),
        users=UsersSpec(where="email LIKE '%@example.org' -- a comment"),
    )
    examination = await replace(patient, spec=spec).examine()
    finding = only(examination, "filter_refused")
    assert finding.subject == "catalog.artworks.where"
    assert 'column "is_libary" does not exist' in finding.problem


async def test_a_filter_can_not_smuggle_in_a_second_statement(patient: Patient) -> None:
    patient.run(APP)
    spec = CatalogueSpec(users=UsersSpec(where="true); DROP TABLE users CASCADE; SELECT (1"))
    examination = await replace(patient, spec=spec).examine()
    assert "filter_refused" in codes(examination)
    assert examination.catalogue is not None


async def test_views_can_be_counted_but_impressions_must_be_of_one_table(patient: Patient) -> None:
    patient.run(
        APP,
        "CREATE VIEW active_users AS SELECT * FROM users WHERE is_active",
        "CREATE VIEW seen AS SELECT DISTINCT * FROM user_art_impressions",
    )
    spec = CatalogueSpec(
        users=UsersSpec(table="active_users"), impressions=ImpressionsSpec(table="seen")
    )
    examination = await replace(patient, spec=spec).examine()
    assert only(examination, "impressions_not_a_table").blocks is Blocks.HEALING
    assert only(examination, "ids_not_provably_unique").severity is Severity.WARNING
    assert examination.blocking(Blocks.COUNTING) == ()


async def test_duplicate_and_null_ids_are_errors_unless_filtered_away(patient: Patient) -> None:
    patient.run(
        APP,
        "INSERT INTO users (id) VALUES ('a'), ('b')",
        "CREATE VIEW twice AS SELECT id FROM users UNION ALL SELECT id FROM users WHERE id = 'b'",
        "CREATE VIEW holes AS SELECT NULLIF(id, 'b') AS id FROM users",
    )

    async def with_users(**settings: str) -> set[str]:
        spec = CatalogueSpec(users=UsersSpec(**settings))
        return codes(await replace(patient, spec=spec).examine(), Severity.ERROR)

    assert await with_users(table="twice") == {"ids_not_unique"}
    assert await with_users(table="holes") == {"ids_null"}
    assert await with_users(table="twice", where="id <> 'b'") == set()


async def test_a_partitioned_table_with_a_unique_index_is_sound(patient: Patient) -> None:
    patient.run(HASH_PARTITIONED)
    patient.run("INSERT INTO users SELECT n::text FROM generate_series(1, 50) n")
    patient.run("INSERT INTO art_sessions (id) VALUES ('a')")
    patient.run("INSERT INTO user_art_impressions SELECT id, 'a' FROM users", ANALYSED)
    examination = await patient.examine()
    assert codes(examination, Severity.ERROR) == set()
    assert examination.catalogue is not None
    assert examination.catalogue.impressions.estimated_rows == 50
    assert examination.catalogue.impressions.partition_key == ("user_id",)


async def test_an_unknown_time_zone_is_an_error(patient: Patient) -> None:
    patient.run(APP)
    examination = await replace(patient, spec=CatalogueSpec(timezone="Mars/Olympus")).examine()
    assert "Mars/Olympus" in only(examination, "timezone_unknown").problem


async def test_a_role_whose_clock_differs_is_a_warning_for_defaults_of_local_time(
    patient: Patient,
) -> None:
    patient.run(APP)
    patient.run(
        "DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo'); END $$"
    )
    examination = await patient.examine()
    findings = [f for f in examination.findings if f.code == "default_in_other_zone"]
    assert {f.subject for f in findings} == {
        "art_sessions.created_at",
        "user_art_impressions.viewed_at",
    }
    assert "Asia/Tokyo" in findings[0].problem
    spec = CatalogueSpec(timezone="Japan")
    japan = await replace(patient, spec=spec).examine()
    assert "default_in_other_zone" not in codes(japan)
    assert not any(finding.statements for finding in findings)


async def test_growth_is_what_a_day_of_ageing_adds(patient: Patient) -> None:
    patient.run(
        APP,
        "INSERT INTO users (id) SELECT n::text FROM generate_series(1, 100) n",
        "INSERT INTO art_sessions (id, created_at) "
        "SELECT n::text, now() AT TIME ZONE 'UTC' - interval '1 day' FROM generate_series(1, 56) n",
        "INSERT INTO user_art_impressions (user_id, artwork_id) "
        "SELECT n::text, '1' FROM generate_series(1, 40) n",
        ANALYSED,
    )
    everyone = replace(patient, pools=PoolsSpec(audience=Audience.ALL))
    assert "up to 200 impressions a day" in only(await everyone.examine(), "growth").problem
    finding = only(await patient.examine(), "growth")
    assert "up to 80 impressions a day" in finding.problem
    assert "Let catalog.users.where admit users" in finding.remedy
    assert "without writing a row" in finding.remedy
    bounded = PoolsSpec(legacy_created_before=datetime(2026, 1, 1, tzinfo=UTC))
    assert "growth" not in codes(await replace(patient, pools=bounded).examine())


async def test_a_question_that_takes_too_long_stays_unanswered_and_harms_nothing(
    patient: Patient,
) -> None:
    patient.run(
        APP,
        "INSERT INTO users (id) VALUES ('a')",
        "CREATE VIEW slow AS SELECT id FROM users WHERE pg_sleep(60) IS NOT NULL",
    )
    spec = CatalogueSpec(users=UsersSpec(table="slow"))
    hasty = replace(patient, spec=spec, patience=timedelta(milliseconds=50))
    examination = await hasty.examine()
    finding = only(examination, "ids_not_provably_unique")
    assert "could not be told in time" in finding.problem
    assert "growth" not in codes(examination)
    assert examination.blocking() == ()


async def test_many_mistakes_are_all_reported_and_worst_first(patient: Patient) -> None:
    patient.run(USERS, ARTWORKS, BARE_IMPRESSIONS)
    spec = CatalogueSpec(
        artworks=ArtworksSpec(where="1/"),
        users=UsersSpec(where="nothing"),
        impressions=ImpressionsSpec(defaults={"version": "'x'", "nowhere": "1"}),
        timezone="Nowhere",
    )
    examination = await replace(patient, spec=spec).examine()
    assert codes(examination, Severity.ERROR) == {
        "filter_refused",
        "default_unusable",
        "pair_index_missing",
        "timezone_unknown",
    }
    order = [list(Severity).index(finding.severity) for finding in examination.findings]
    assert order == sorted(order)
