"""What expressions make of columns is told as of a column, and what they can't read, too."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from checks.doctor.findings import Blocks
from checks.spec import ArtworksSpec, CatalogueSpec, PairsSpec, SqlMoment, ThroughSpec
from tests.integration.doctor_help import Patient, only
from tests.integration.doctor_schemas import APP
from tests.support.commands import on_one_server

pytestmark = on_one_server

_CREATED = "catalog.artworks.created_at"


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(f"{database_url}&options=-ctimezone%3DUTC")


async def test_what_an_expression_makes_is_told_as_of_a_column(patient: Patient) -> None:
    patient.run(
        APP,
        "ALTER TABLE art_sessions ALTER created_at DROP DEFAULT,"
        " ALTER created_at TYPE text USING '2026-03-04 05:06'",
        "CREATE TABLE passes (user_id text, artwork_id text, given text)",
    )
    expressions = {
        "created_at::timestamp": ("moment_without_zone", Blocks.NOTHING),
        "created_at::date": ("moment_is_date", Blocks.NOTHING),
        "created_at || '!'": ("not_a_moment", Blocks.COUNTING),
        "created::date": ("moment_refused", Blocks.COUNTING),
    }
    for expression, (code, blocks) in expressions.items():
        artworks = ArtworksSpec(created_at=SqlMoment(expression))
        examined = await replace(patient, spec=CatalogueSpec(artworks=artworks)).examine()
        [finding] = [one for one in examined.findings if one.subject == _CREATED]
        assert (finding.code, finding.blocks) == (code, blocks)
    since = ThroughSpec("passes", since=SqlMoment("given::date + 'x'"))
    pairs = PairsSpec(through=since)
    spec = CatalogueSpec(ArtworksSpec(created_at=SqlMoment("created_at::date")), pairs=pairs)
    refused = only(await replace(patient, spec=spec).examine(), "moment_refused")
    assert refused.subject == "catalog.pairs.through.since"


async def test_texts_of_several_forms_are_read_as_far_as_they_are_moments(
    patient: Patient,
) -> None:
    patient.run(APP, "ALTER TABLE art_sessions DROP COLUMN created_at, ADD COLUMN created_at text")
    many = "SELECT {} FROM generate_series(1, 19) AS n"
    forms = {
        many.format("(1772600767 + n)::text"): "'soon'",
        many.format("'2026-03-' || to_char(n, 'FM00')"): "'March'",
        many.format("'2026-03-' || to_char(n, 'FM00') || ' 05:06:07.89'"): "''",
        many.format("'2026-03-' || to_char(n, 'FM00') || 'T05:06Z'"): "'05:06Z'",
        many.format("'202603' || to_char(n, 'FM00')"): "'0'",
    }
    for values, other in forms.items():
        patient.run(
            "TRUNCATE art_sessions CASCADE",
            f"INSERT INTO art_sessions (created_at) {values} UNION ALL SELECT {other}",
        )
        found = only(await patient.examine(), "not_a_moment")
        moment = SqlMoment(found.settings[_CREATED]["sql"])
        by_expression = CatalogueSpec(artworks=ArtworksSpec(created_at=moment))
        assert not (await replace(patient, spec=by_expression).examine()).blocking()
        with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
            asked = f"SELECT count({moment.sql}), count(*) FROM art_sessions"
            [[read_as_moments, rows]] = connection.execute(asked.encode()).fetchall()
        assert (read_as_moments, rows) == (19, 20), moment.sql
