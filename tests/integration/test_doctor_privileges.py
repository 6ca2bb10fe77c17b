"""The doctor as a role with few rights: the remedies are exactly the rights that it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.doctor.findings import Blocks, Severity
from checks.spec import CatalogueSpec
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import ARTWORKS, USERS

ROLE = "doctor_reader"


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(database_url)


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
        f"ALTER ROLE {ROLE} NOBYPASSRLS",
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
        "sequence_hidden",
        "state_schema_missing",
    }
    assert examination.catalogue is not None
    granted = [
        finding.statements or finding.remedy
        for finding in examination.findings
        if finding.code.startswith(("no_", "state_", "sequence_"))
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
    assert finding.blocks is Blocks.COUNTING
    stranger.run(finding.statements)
    assert "row_security" not in codes(await stranger.examine(role=ROLE))
