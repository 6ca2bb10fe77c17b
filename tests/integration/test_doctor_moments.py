"""Columns that hold numbers or texts instead of moments: told by unit, with the expression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from checks.doctor.findings import Blocks
from checks.doctor.input import MomentForm
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SqlMoment,
    ThroughSpec,
)
from checks.statements import identifier, raw, render
from tests.integration.doctor_help import Patient, codes, only
from tests.integration.doctor_schemas import APP
from tests.support.commands import on_one_server

pytestmark = on_one_server

_CREATED = "catalog.artworks.created_at"
_EPOCH = "extract(epoch FROM t)"
_HELD = [
    ("bigint", f"floor({_EPOCH} * 1000000000)", "nanoseconds since 1970", "1 microsecond"),
    ("bigint", f"floor({_EPOCH} * 1000000)", "microseconds since 1970", "0"),
    ("bigint", f"floor({_EPOCH} * 1000)", "milliseconds since 1970", "1 millisecond"),
    ("numeric", f"{_EPOCH} * 1000", "milliseconds since 1970", "0"),
    ("integer", f"floor({_EPOCH})", "seconds since 1970", "1 second"),
    ("double precision", _EPOCH, "seconds since 1970", "1 microsecond"),
    ("integer", f"floor({_EPOCH} / 60)", "minutes since 1970", "1 minute"),
    ("integer", f"floor({_EPOCH} / 3600)", "hours since 1970", "1 hour"),
    ("integer", f"floor({_EPOCH} / 86400)", "days since 1970", "1 day"),
    ("integer", "to_char(t, 'YYYYMMDD')::int", "the digits of dates", "1 day"),
    ("text", "to_char(t, 'YYYYMMDD')", "the digits of dates", "1 day"),
    ("text", f"floor({_EPOCH} * 1000)", "milliseconds since 1970", "1 millisecond"),
    ("varchar(40)", _EPOCH, "seconds since 1970", "0"),
    ("text", "to_char(t, 'YYYY-MM-DD')", "dates as text", "1 day"),
    ("text", "to_char(t, 'YYYY-MM-DD HH24:MI:SS.US')", "without a time zone", "0"),
    ("text", 'to_char(t, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')', "each with its time zone", "0"),
    ("char(40)", "to_char(t, 'YYYY-MM-DD HH24:MI:SS.US+00')", "each with its time zone", "0"),
]
"""A type, how the application writes the moment t, what is told, and what the type drops of t."""


@pytest.fixture
def patient(database_url: str) -> Patient:
    return Patient(f"{database_url}&options=-ctimezone%3DUTC")


@pytest.mark.parametrize(("declared", "written", "told", "dropped"), _HELD)
async def test_what_a_column_holds_is_told_with_an_expression_that_reads_it(
    patient: Patient, declared: str, written: str, told: str, dropped: str
) -> None:
    patient.run(
        APP,
        "CREATE TABLE truth AS SELECT n::text AS id, t FROM generate_series(0, 19) AS n,"
        " LATERAL (SELECT timestamptz '2026-03-04 05:06:07.891234Z' - n * interval '30 hours') AS"
        " one (t)",
        f"ALTER TABLE art_sessions DROP COLUMN created_at, ADD COLUMN created_at {declared}",
        f"INSERT INTO art_sessions (id, created_at) SELECT id, {written} FROM truth",
    )
    before = read(patient, "SELECT id, created_at FROM art_sessions ORDER BY id")
    finding = only(await patient.examine(), "not_a_moment")
    assert finding.blocks is Blocks.COUNTING
    assert told in finding.problem
    assert "20 values, the newest of 2026-03-04" in finding.problem
    assert not finding.statements

    moment = SqlMoment(finding.settings["catalog.artworks.created_at"]["sql"])
    by_expression = replace(patient, spec=CatalogueSpec(artworks=ArtworksSpec(created_at=moment)))
    assert (await by_expression.examine()).blocking() == ()
    patient.run(f"CREATE VIEW pieces AS SELECT id, {moment.sql} AS created_at FROM art_sessions")
    [[most]] = read(
        patient,
        "SELECT max(greatest(t - p.created_at, p.created_at - t)) <= interval"
        f" '{dropped}' FROM truth JOIN pieces AS p USING (id)",
    )
    assert most is True
    assert read(patient, "SELECT id, created_at FROM art_sessions ORDER BY id") == before


@pytest.mark.parametrize(
    ("declared", "values", "told"),
    [
        ("bigint", "(1772600767891), (0), (0), (7)", None),
        ("bigint", "(1772600767891), (0), (0)", "1 values, the newest of 2026-03-04. 2 are 0."),
        ("bigint", "(0), (0)", "can't be told from them. 2 are 0."),
        ("bigint", "(17), (18)", "can't be told"),
        ("text", "('4 March 2026'), ('5 March 2026')", "can't be told"),
        ("text", "(NULL)", "can't be told"),
        ("time", "('10:00')", None),
        ("json", "('1772600767891')", None),
    ],
)
async def test_what_can_not_be_told_is_not_guessed(
    patient: Patient, declared: str, values: str, told: str | None
) -> None:
    patient.run(
        APP,
        f"ALTER TABLE art_sessions DROP COLUMN created_at, ADD COLUMN created_at {declared}",
        f"INSERT INTO art_sessions (created_at) VALUES {values}",
    )
    finding = only(await patient.examine(), "not_a_moment")
    if told is not None:
        assert told in finding.problem
    assert ("since 1970" in finding.problem) is (told is not None and "newest" in told)
    assert "March" not in finding.mending + finding.problem
    assert not finding.statements
    assert bool(finding.settings) is (told is not None and "newest" in told)


async def test_impressions_of_no_known_time_may_have_none(patient: Patient) -> None:
    patient.run(
        APP,
        "ALTER TABLE user_art_impressions ALTER viewed_at DROP DEFAULT,"
        " ALTER viewed_at TYPE bigint USING 0",
    )
    finding = only(await patient.examine(), "not_a_moment")
    assert "or null where the table does not say" in finding.remedy
    patient.run("INSERT INTO users (id) VALUES ('u')", "INSERT INTO art_sessions (id) VALUES ('a')")
    patient.run(
        "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
        " VALUES ('u', 'a', 1772600767891)"
    )
    finding = only(await patient.examine(), "not_a_moment")
    moment = SqlMoment('to_timestamp("viewed_at" / 1000.0)')
    assert finding.settings == {"catalog.impressions.viewed_at": {"sql": moment.sql}}
    spec = CatalogueSpec(impressions=ImpressionsSpec(viewed_at=moment))
    assert "not_a_moment" not in codes(await replace(patient, spec=spec).examine())
    spec = CatalogueSpec(impressions=ImpressionsSpec(viewed_at=None))
    assert "not_a_moment" not in codes(await replace(patient, spec=spec).examine())


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
        [[read_as_moments, rows]] = read(
            patient, f"SELECT count({moment.sql}), count(*) FROM art_sessions"
        )
        assert (read_as_moments, rows) == (19, 20), moment.sql


def test_every_day_from_1990_to_2099_is_known_in_every_unit(patient: Patient) -> None:
    per_day = {
        MomentForm.DAYS: "1",
        MomentForm.HOURS: "24",
        MomentForm.MINUTES: "1440",
        MomentForm.SECONDS: "86400",
        MomentForm.MILLISECONDS: "86400e3",
        MomentForm.MICROSECONDS: "86400e6",
        MomentForm.NANOSECONDS: "86400e9",
    }
    for form, factor in per_day.items():
        patient.run(
            "DROP TABLE IF EXISTS held",
            f"CREATE TABLE held AS SELECT d * {factor}::numeric AS n"
            " FROM generate_series(date '1990-01-01' - date 'epoch',"
            " date '2099-12-31' - date 'epoch') AS d",
        )
        found = forms(patient)
        if form is MomentForm.MINUTES:
            # Some days of 2007 to 2009 have the digits of a date.
            assert found.pop("digits") < 0.02 * found[form]
        assert found.keys() == {form}
    patient.run(
        "DROP TABLE held",
        "CREATE TABLE held AS SELECT to_char(d, 'YYYYMMDD')::int AS n"
        " FROM generate_series(timestamp '1990-01-01', '2099-12-31', '1 day') AS d",
    )
    assert forms(patient).keys() == {"digits"}


def forms(patient: Patient) -> dict[Any, Any]:
    """How many numbers of the table `held` are of which form."""
    fragments = {"number": identifier("n"), "table": identifier("held"), "filter": raw("TRUE")}
    rows = read(patient, render("checks", "catalogue_numbers", fragments))
    return {form: held for form, held, _ in rows}


def read(patient: Patient, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        return connection.execute(statement.encode()).fetchall()
