"""Columns that hold numbers or texts instead of moments: told by unit, with the expression."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from checks.doctor.findings import Blocks
from checks.doctor.input import MomentForm
from checks.made_rows import value_of
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    SqlMoment,
)
from checks.statements import identifier, raw, render
from tests.integration.doctor_help import Patient, codes, mended, only
from tests.integration.doctor_schemas import APP
from tests.support.commands import on_one_server

pytestmark = on_one_server

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


@pytest.mark.parametrize(("declared", "written", "told", "dropped"), _HELD)
async def test_what_is_written_is_read_as_the_moment_of_writing(
    patient: Patient, declared: str, written: str, told: str, dropped: str
) -> None:
    looks = f"SELECT 'u', n::text, {written} FROM truth"
    patient.run(
        APP,
        "CREATE TABLE truth AS SELECT n, t FROM generate_series(0, 19) AS n,"
        " LATERAL (SELECT now() - n * interval '30 hours') AS one (t)",
        "INSERT INTO users (id) VALUES ('u')",
        "INSERT INTO art_sessions (id) SELECT n::text FROM truth",
        "ALTER TABLE user_art_impressions DROP COLUMN viewed_at,"
        f" ADD COLUMN viewed_at {declared} NOT NULL",
        f"INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at) {looks}",
    )
    finding = only(await patient.examine(), "not_a_moment")
    assert told in finding.problem
    spec = mended(patient.spec, finding)
    after = await replace(patient, spec=spec).examine()
    assert after.blocking() == ()
    catalogue = after.catalogue
    assert catalogue is not None
    value = value_of(catalogue, "viewed_at", spec.impressions.defaults["viewed_at"])
    assert isinstance(spec.impressions.viewed_at, SqlMoment)
    read_back = spec.impressions.viewed_at.sql
    with psycopg.connect(patient.url.replace("+psycopg", "")) as connection:
        moment = datetime(2026, 3, 4, 5, 6, 7, 891234, tzinfo=UTC)
        made = f"SELECT {value.as_string(None)} AS viewed_at FROM (SELECT 1 AS user_id) AS m"
        asked = f"SELECT {read_back} FROM ({made}) AS i"
        [[found]] = connection.execute(asked.encode(), {"now": moment}).fetchall()
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=UTC)
    lost = moment - (found if found.tzinfo else found.replace(tzinfo=UTC))
    assert timedelta(0) <= lost < timedelta(days=1)


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
    moment = SqlMoment("to_timestamp(viewed_at / 1000.0)")
    assert finding.settings["catalog.impressions.viewed_at"] == {"sql": moment.sql}
    spec = CatalogueSpec(impressions=ImpressionsSpec(viewed_at=moment))
    assert "not_a_moment" not in codes(await replace(patient, spec=spec).examine())
    spec = CatalogueSpec(impressions=ImpressionsSpec(viewed_at=None))
    assert "not_a_moment" not in codes(await replace(patient, spec=spec).examine())


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
