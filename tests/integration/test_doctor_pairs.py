"""What the doctor suspects about who is paired with what, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.doctor.findings import Blocks, Examination, Severity
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SharedColumns,
    UsersSpec,
)
from tests.integration.doctor_help import Patient, codes, mended, only
from tests.integration.doctor_pair_schemas import CLEARED, COMPANIES, GUESTS, TENANTS
from tests.support.databases import EMPTY, cloned
from tests.support.postgres import PostgresServer

IN_COMPANIES = CatalogueSpec(
    artworks=ArtworksSpec("companies.documents", created_at="filed_at"),
    users=UsersSpec("companies.people"),
    impressions=ImpressionsSpec(
        "companies.readings", user="person_id", artwork="document_id", viewed_at="read_at"
    ),
)
IN_STUDIOS = CatalogueSpec(
    artworks=ArtworksSpec("tenants.artworks", created_at="hung_at"),
    users=UsersSpec("tenants.visitors"),
    impressions=ImpressionsSpec(
        "tenants.openings", user="visitor_id", artwork="artwork_id", viewed_at="changed_at"
    ),
)
OF_THE_CLEARED = CatalogueSpec(
    artworks=ArtworksSpec("cleared.artworks", created_at="hung_at"),
    users=UsersSpec("cleared.visitors"),
    impressions=ImpressionsSpec(
        "cleared.viewings", user="visitor_id", artwork="artwork_id", viewed_at="latest_at"
    ),
)
OF_CARD_HOLDERS = CatalogueSpec(
    artworks=ArtworksSpec("guests.works", id="nr", created_at="hung_at"),
    users=UsersSpec("guests.card_holders", id="people_no"),
    impressions=ImpressionsSpec(
        "guests.dealings", user="people_no", artwork="work_no", viewed_at="seen_at"
    ),
)


@pytest.fixture(scope="module")
def patient(server: PostgresServer) -> Iterator[Patient]:
    """One database with all of them; a test that changes anything does so in a schema of its own,
    or takes it back."""
    with cloned(server, EMPTY) as url:
        made = Patient(url)
        made.run(COMPANIES, TENANTS, CLEARED, GUESTS)
        yield made


def suspected(examination: Examination) -> set[str]:
    """The names that would answer the suspicions about pairs."""
    pairs = ("nobody_crosses", "nothing_viewed_before", "unknown_", "suspicion_untold")
    return {
        one.accepted_as
        for one in examination.findings
        if one.accepted_as is not None and one.code.startswith(pairs)
    }


async def test_two_companies_that_never_read_each_others_documents(patient: Patient) -> None:
    examination = await replace(patient, spec=IN_COMPANIES).examine()
    assert suspected(examination) == {"nobody_crosses_company_id"}
    finding = only(examination, "nobody_crosses")
    assert finding.blocks is Blocks.HEALING
    assert finding.subject == "companies.people.company_id, companies.documents.held_by"
    assert "by foreign keys to companies.companies. " in finding.problem
    assert "By value, 2 in all, there are 90 and 270, 10 and 30 of them." in finding.problem
    assert " 0 cross from one value to another" in finding.problem
    # 18 % of the pairs, which no breaker would stop.
    assert "5,400 of 30,000 pairs lie across, " in finding.consequence
    same = [{"user": "company_id", "artwork": "held_by"}]
    assert finding.settings == {"catalog.pairs.same": same}
    assert finding.statements == ""
    agreeing = replace(patient, spec=mended(IN_COMPANIES, finding))
    assert suspected(await agreeing.examine()) == set()
    assert examination.blocking(Blocks.COUNTING) == ()


async def test_studios_are_suspected_through_tables_and_views(patient: Patient) -> None:
    examination = await replace(patient, spec=IN_STUDIOS).examine()
    assert suspected(examination) == {"nobody_crosses_studio_id"}
    assert "By value, 4 in all, " in only(examination, "nobody_crosses").problem
    views = replace(
        IN_STUDIOS,
        artworks=ArtworksSpec("tenants.everything", created_at="hung_at"),
        users=UsersSpec("tenants.everybody"),
    )
    by_name = await replace(patient, spec=views).examine()
    assert suspected(by_name) == {"nobody_crosses_studio_id"}
    assert "share it, by name" in only(by_name, "nobody_crosses").problem


async def test_a_stray_row_and_artworks_for_everybody_hide_nothing(patient: Patient) -> None:
    patient.run(
        "CREATE SCHEMA strays; SET search_path = strays;"
        "CREATE TABLE visitors AS SELECT * FROM companies.people;"
        "CREATE TABLE works AS SELECT * FROM companies.documents;"
        "CREATE TABLE views AS SELECT * FROM companies.readings;"
        # Of a company without people, for everybody; and some who were shown what was not theirs.
        "INSERT INTO works SELECT 1000 + n, 3, now() - interval '9 days'"
        " FROM generate_series(1, 100) n;"
        "INSERT INTO views SELECT v.id, w.id, now() FROM visitors v, works w WHERE held_by = 3;"
        "INSERT INTO views SELECT 91, n, now() FROM generate_series(1, 5) n"
    )
    spec = CatalogueSpec(
        artworks=ArtworksSpec("strays.works", created_at="filed_at"),
        users=UsersSpec("strays.visitors"),
        impressions=ImpressionsSpec(
            "strays.views", user="person_id", artwork="document_id", viewed_at="read_at"
        ),
    )
    assert suspected(await replace(patient, spec=spec).examine()) == set()
    patient.run("ALTER TABLE strays.works RENAME held_by TO company_id")
    examination = await replace(patient, spec=spec).examine()
    assert suspected(examination) == {"nobody_crosses_company_id"}
    finding = only(examination, "nobody_crosses")
    assert " 5 cross from one value to another" in finding.problem
    # What is for everybody would be nobody's by pairs.same.
    assert not finding.settings
    assert "10,000 impressions are of other values, or of none" in finding.remedy


async def test_a_company_that_alone_has_readings_so_far_is_suspected(patient: Patient) -> None:
    patient.run(
        "CREATE SCHEMA first; CREATE TABLE first.readings AS SELECT r.* FROM companies.readings r"
        " JOIN companies.people p ON p.id = r.person_id WHERE p.company_id = 1"
    )
    readings = replace(IN_COMPANIES.impressions, table="first.readings")
    first = replace(patient, spec=replace(IN_COMPANIES, impressions=readings))
    examination = await first.examine()
    assert suspected(examination) == {"nobody_crosses_company_id"}
    assert "none crosses" in only(examination, "nobody_crosses").problem
    # One of them has been shown what another company holds.
    patient.run(
        "INSERT INTO first.readings (person_id, document_id, read_at)"
        " SELECT min(p.id), min(d.id), now() FROM companies.people p, companies.documents d"
        " WHERE p.company_id = 1 AND d.held_by = 2"
    )
    assert suspected(await first.examine()) == set()


async def test_an_owner_or_a_person_answers_for_a_shared_column(patient: Patient) -> None:
    owned = replace(IN_COMPANIES, artworks=replace(IN_COMPANIES.artworks, owner="held_by"))
    assert suspected(await replace(patient, spec=owned).examine()) == set()
    accepted = replace(IN_COMPANIES, accept=("nobody_crosses_company_id",))
    assert suspected(await replace(patient, spec=accepted).examine()) == set()


async def test_many_impressions_are_judged_by_a_part_of_them(patient: Patient) -> None:
    estimate = "UPDATE pg_class SET reltuples = {} WHERE oid = 'companies.readings'::regclass"
    patient.run(estimate.format(500_000))
    examination = await replace(patient, spec=IN_COMPANIES).examine()
    patient.run("ANALYZE companies.readings")
    problem = only(examination, "nobody_crosses").problem
    looked_at = int(problem.split("Of ")[1].split()[0].replace(",", ""))
    assert "impressions looked at (a part of all)" in problem
    assert 1000 < looked_at < 18_000


async def test_a_column_that_the_role_may_not_read_is_never_taken_for_sound(
    patient: Patient,
) -> None:
    role = "reader_of_companies"
    patient.run(
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON SCHEMA companies TO {role}",
        f"GRANT SELECT (id) ON companies.people TO {role}",
        f"GRANT SELECT (id, filed_at) ON companies.documents TO {role}",
        f"GRANT SELECT ON companies.readings TO {role}",
    )
    try:
        asked = replace(patient, spec=IN_COMPANIES)
        finding = only(await asked.examine(role=role), "suspicion_untold")
        assert finding.blocks is Blocks.HEALING
        assert finding.accepted_as == "nobody_crosses_company_id"
        assert "the role may not read it" in finding.problem
        patient.run(finding.remedy)
        assert "nobody_crosses" in codes(await asked.examine(role=role))
    finally:
        patient.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_what_is_not_answered_in_time_is_never_taken_for_sound(patient: Patient) -> None:
    patient.run(
        "CREATE VIEW companies.slow AS"
        " SELECT * FROM companies.readings WHERE pg_sleep(60) IS NOT NULL"
    )
    slow = replace(
        IN_COMPANIES, impressions=replace(IN_COMPANIES.impressions, table="companies.slow")
    )
    hasty = replace(patient, spec=slow, patience=timedelta(milliseconds=50))
    finding = only(await hasty.examine(), "suspicion_untold")
    assert finding.blocks is Blocks.HEALING
    assert "there was no answer in time" in finding.problem


async def test_a_history_that_was_cleared_is_suspected_and_nothing_else(patient: Patient) -> None:
    asked = replace(patient, spec=OF_THE_CLEARED)
    examination = await asked.examine()
    assert suspected(examination) == {"nothing_viewed_before_cleared_at"}
    finding = only(examination, "nothing_viewed_before")
    assert finding.blocks is Blocks.HEALING
    assert "more than a week after joined_at. 0 impressions" in finding.problem
    accepted = replace(OF_THE_CLEARED, accept=("nothing_viewed_before_cleared_at",))
    assert suspected(await replace(patient, spec=accepted).examine()) == set()


async def test_the_age_of_those_who_cleared_their_history_ends_the_suspicion(
    patient: Patient,
) -> None:
    finding = only(await replace(patient, spec=OF_THE_CLEARED).examine(), "nothing_viewed_before")
    assert finding.settings == {
        "catalog.users.created_at": {"sql": "greatest(joined_at, cleared_at)"}
    }
    after = await replace(patient, spec=mended(OF_THE_CLEARED, finding)).examine()
    assert suspected(after) == set()
    assert after.blocking(Blocks.COUNTING) == ()


async def test_moments_of_different_types_are_compared_in_the_catalogues_zone(
    patient: Patient,
) -> None:
    patient.run(
        "ALTER TABLE cleared.visitors ALTER cleared_at TYPE timestamp"
        " USING cleared_at AT TIME ZONE 'Asia/Tokyo'"
    )
    try:
        asked = replace(patient, spec=replace(OF_THE_CLEARED, timezone="Asia/Tokyo"))
        finding = only(await asked.examine(), "nothing_viewed_before")
        assert "AT TIME ZONE 'Asia/Tokyo'" in finding.settings["catalog.users.created_at"]["sql"]
        after = await replace(patient, spec=mended(asked.spec, finding)).examine()
        assert after.blocking(Blocks.COUNTING) == ()
    finally:
        patient.run(
            "ALTER TABLE cleared.visitors ALTER cleared_at TYPE timestamptz"
            " USING cleared_at AT TIME ZONE 'Asia/Tokyo'"
        )


async def test_impressions_of_people_who_are_no_users_are_told_and_kept(patient: Patient) -> None:
    examination = await replace(patient, spec=OF_CARD_HOLDERS).examine()
    finding = only(examination, "unknown_users")
    assert (finding.severity, finding.blocks) == (Severity.WARNING, Blocks.NOTHING)
    assert finding.problem.startswith("12,000 of ")
    assert "80 ids (of 180) that are no users of guests.card_holders." in finding.problem
    assert "rows of guests.people that are no users here" in finding.problem
    assert "delete" not in finding.mending.lower()
    assert "unknown_artworks" not in codes(examination)
    accepted = replace(OF_CARD_HOLDERS, accept=("unknown_users",))
    assert "unknown_users" not in codes(await replace(patient, spec=accepted).examine())


async def test_what_a_filter_leaves_out_is_told_and_no_suspicion(patient: Patient) -> None:
    spec = replace(
        OF_CARD_HOLDERS,
        users=UsersSpec("guests.people", id="nr", where="NOT closed -- gone"),
        artworks=replace(OF_CARD_HOLDERS.artworks, where="nr > 10"),
    )
    examination = await replace(patient, spec=spec).examine()
    users = only(examination, "unknown_users")
    assert users.severity is Severity.ADVICE
    assert "14 ids (of 180)" in users.problem
    assert "14 of them left out by catalog.users.where" in users.problem
    assert "foreign key" not in users.problem
    assert "10 ids (of 300)" in only(examination, "unknown_artworks").problem
    assert suspected(examination) == set()


@pytest.fixture
def shown_by_another_table(patient: Patient) -> Iterator[CatalogueSpec]:
    """Forty people who have seen whatever is shown; every tenth print is not."""
    patient.run(
        "CREATE SCHEMA halls; SET search_path = halls;"
        "CREATE TABLE people AS SELECT n AS id, now() - interval '1 year' AS joined_at"
        " FROM generate_series(1, 40) AS n;"
        "CREATE TABLE prints AS SELECT n AS id, now() - n * interval '1 day' AS hung_at"
        " FROM generate_series(1, 100) AS n;"
        "CREATE TABLE looks AS SELECT p.id AS person, w.id AS print, w.hung_at AS at"
        " FROM people AS p, prints AS w WHERE w.id % 10 <> 5 AND (p.id + w.id) % 4 > 0"
    )
    yield CatalogueSpec(
        artworks=ArtworksSpec("halls.prints", created_at="hung_at"),
        users=UsersSpec("halls.people"),
        impressions=ImpressionsSpec("halls.looks", "person", "print", "at"),
    )
    patient.run("DROP SCHEMA halls CASCADE")


async def test_artworks_that_nobody_saw_among_those_that_most_saw_are_suspected(
    patient: Patient, shown_by_another_table: CatalogueSpec
) -> None:
    spec = shown_by_another_table

    async def found(spec: CatalogueSpec = spec) -> set[str | None]:
        examination = await replace(patient, spec=spec).examine()
        return {one.accepted_as for one in examination.blocking()} & {"artworks_nobody_saw"}

    finding = only(await replace(patient, spec=spec).examine(), "artworks_nobody_saw")
    assert finding.blocks is Blocks.HEALING
    assert finding.problem.startswith("9 of 94 artworks old enough for legacy were seen by nobody")
    assert await found(replace(spec, accept=("artworks_nobody_saw",))) == set()
    shown = replace(spec.artworks, where="id % 10 <> 5")
    assert await found(replace(spec, artworks=shown)) == set()
    same = PairsSpec(same=(SharedColumns("id", "id"),))
    assert await found(replace(spec, pairs=same)) == set()
    # One look is enough; and so is an outage, which takes neighbours as well.
    patient.run("INSERT INTO halls.looks SELECT 1, id, now() FROM halls.prints")
    assert await found() == set()
    patient.run("DELETE FROM halls.looks WHERE print BETWEEN 20 AND 70")
    assert await found() == set()


async def test_a_users_age_is_not_proposed_where_older_artworks_are_seen(
    patient: Patient, shown_by_another_table: CatalogueSpec
) -> None:
    asked = replace(patient, spec=shown_by_another_table)
    assert "user_age_unused" in codes(await asked.examine())
    patient.run("UPDATE halls.people SET joined_at = now() - interval '90 days'")
    assert "user_age_unused" not in codes(await asked.examine())
