"""Columns named as moments that are none: what they hold, read from the data, and how to read it.

Nothing is ever done to such a column: the application writes numbers or texts there, and goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import sql
from sqlalchemy import Row

from checks.doctor.findings import Finding, Mending, error
from checks.doctor.input import (
    DoctorInput,
    HeldMoments,
    MomentForm,
    moment_columns,
    moment_subject,
)
from checks.doctor.own_values import plain
from checks.doctor.time_zones import MOMENTS
from checks.errors import Refusal
from checks.fragments import table
from checks.relations import Column, Relation
from checks.spec import CatalogueSpec
from checks.statements import Fragments, identifier

Ask = Callable[[str, Fragments], Awaitable[Sequence[Row[Any]] | Refusal]]
"""Runs a SQL file of `checks/sql`; a refusal may just be a lack of time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENOUGH = 0.9
"""The share of the values that has to be of one form before the form is told."""


_FRACTIONS = {
    MomentForm.NANOSECONDS: 10**9,
    MomentForm.MICROSECONDS: 10**6,
    MomentForm.MILLISECONDS: 10**3,
}
"""Units by how many of them are a second."""
_MULTIPLES = {
    MomentForm.SECONDS: 1,
    MomentForm.MINUTES: 60,
    MomentForm.HOURS: 3600,
    MomentForm.DAYS: 86400,
}
"""Units by their seconds."""
_WORDS = {
    MomentForm.DIGITS: "the digits of dates (YYYYMMDD)",
    MomentForm.DATE: "dates as text (YYYY-MM-DD)",
    MomentForm.LOCAL: "moments as text, without a time zone",
    MomentForm.ZONED: "moments as text, each with its time zone",
}
_TYPES = {
    MomentForm.DATE: "date",
    MomentForm.LOCAL: "timestamp",
    MomentForm.ZONED: "timestamptz",
}
_PATTERNS = {
    MomentForm.DATE: r"^\d{4}-\d\d-\d\d$",
    MomentForm.LOCAL: r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*$",
    MomentForm.ZONED: r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]* ?(Z|[+-]\d\d(:?\d\d)?)$",
    MomentForm.DIGITS: r"^\d{8}$",
}
"""Texts of each form, where that is not a number."""
_VIEWED_AT = "catalog.impressions.viewed_at"
_TEXTS = {
    MomentForm.DIGITS: "YYYYMMDD",
    MomentForm.DATE: "YYYY-MM-DD",
    MomentForm.LOCAL: "YYYY-MM-DD HH24:MI:SS",
    MomentForm.ZONED: 'YYYY-MM-DD"T"HH24:MI:SS"Z"',
}
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_NUMBER, _ZERO = "number", "zero"
"""The names in the SQL files for texts that are numbers, and for 0."""


def moments_are_moments(given: DoctorInput) -> Iterator[Finding]:
    """Creation and viewing times as text or epoch numbers can't be compared with a clock."""
    for relation, setting, column in moment_columns(given.facts):
        if column.cast in MOMENTS:
            continue
        held = given.evidence.held.get(setting)
        is_expression = column in relation.moments.values()
        what = "The expression is" if is_expression else f"{setting} names a column"
        yield error(
            "not_a_moment",
            moment_subject(relation, column),
            problem=(
                f"{what} of type {column.type}; expected date, timestamp or"
                f" timestamptz.{_told(held)}"
            ),
            consequence="Ages can't be computed, so nothing can be counted or healed.",
            **_by_expression(given, setting, column, held),
        )


def _told(held: HeldMoments | None) -> str:
    if held is None:
        return ""
    zeros = f" {held.zeros:,} are 0." if held.zeros else ""
    if held.form is None:
        return f" What its values mean can't be told from them.{zeros}"
    others = f" {held.others:,} are something else." if held.others else ""
    words = _WORDS.get(held.form, f"{held.form.value} since 1970")
    newest = "" if held.newest is None else f", the newest of {held.newest.isoformat()}"
    return f" It seems to hold {words}: {held.values:,} values{newest}.{zeros}{others}"


def _by_expression(
    given: DoctorInput, setting: str, column: Column, held: HeldMoments | None
) -> Mending:
    if held is None or held.form is None:
        unknown = ", or null where the table does not say" if setting == _VIEWED_AT else ""
        return {
            "remedy": (
                f"Let {setting} name a column that holds a moment, or be an expression that makes"
                f" one ({{sql: …}}){unknown}."
            )
        }
    settings: dict[str, Any] = {setting: {"sql": moment_expression(column, held)}}
    if setting == _VIEWED_AT:
        value = stored_value(given.spec, column, held)
        settings["catalog.impressions.defaults"] = {column.name: value}
    return {"settings": settings}


def moment_expression(column: Column, held: HeldMoments) -> str:
    """The column's values as a moment, in SQL; NULL for what is 0 or of another form."""
    assert held.form is not None
    name, form = plain(column.name), held.form
    is_text = column.category == "S"
    moment = _moment_of(name, form, is_text=is_text, zeros=held.zeros > 0)
    if not (is_text and held.others):
        return moment
    pattern = _PATTERNS.get(form, r"^\d+(\.\d+)?$")
    return f"CASE WHEN {name} ~ '{pattern}' THEN {moment} END"


def _moment_of(name: str, form: MomentForm, *, is_text: bool, zeros: bool) -> str:
    if form in _TYPES:
        return f"{name}::{_TYPES[form]}"
    if form is MomentForm.DIGITS:
        digits = f"nullif({name}::text, '0')" if zeros else f"{name}::text"
        return f"to_date({digits}, 'YYYYMMDD')"
    number = f"{name}::numeric" if is_text else name
    number = f"nullif({number}, 0)" if zeros else number
    if form in _FRACTIONS:
        return f"to_timestamp({number} / {_FRACTIONS[form]}.0)"
    seconds = _MULTIPLES[form]
    return f"to_timestamp({number})" if seconds == 1 else f"to_timestamp({number} * {seconds}.0)"


def stored_value(spec: CatalogueSpec, column: Column, held: HeldMoments) -> str:
    """The moment that is written, in the form that the column holds."""
    assert held.form is not None
    viewed = spec.impressions.viewed_at
    # Where another column holds the moment, viewed_at may have no zone.
    moment = "viewed_at" if not isinstance(viewed, str) or viewed == column.name else "now()"
    if held.form in _TEXTS:
        zone = "UTC" if held.form is MomentForm.ZONED else spec.timezone
        local = f"timezone({sql.Literal(zone).as_string(None)}, {moment})"
        cast = f"::{column.cast}" if column.cast in _INTEGERS else ""
        return f"to_char({local}, '{_TEXTS[held.form]}'){cast}"
    epoch = f"extract(epoch FROM {moment})"
    factor, divisor = _FRACTIONS.get(held.form, 1), _MULTIPLES.get(held.form, 1)
    number = f"{epoch} * {factor}" if factor > 1 else epoch
    number = f"{epoch} / {divisor}" if divisor > 1 else number
    return f"floor({number})" if column.cast not in _INTEGERS else f"floor({number})::{column.cast}"


async def read_held_moments(
    ask: Ask, relation: Relation, column: Column, admitted: sql.Composable
) -> HeldMoments | None:
    """What the column's values are as moments; None where that could not be asked."""
    if column in relation.moments.values():
        return None
    return await held_moments(ask, table(relation), column, admitted)


async def held_moments(
    ask: Ask, rows: sql.Composable, column: Column, admitted: sql.Composable
) -> HeldMoments | None:
    """The same of `rows`: a table or a part of one."""
    where = {"table": rows, "filter": admitted}
    name = identifier(column.name)
    if column.category == "N":
        return _judged(await ask("catalogue_numbers", {**where, "number": name}))
    if column.category != "S":
        return None
    texts = await ask("catalogue_texts", {**where, "column": name})
    if isinstance(texts, Refusal):
        return None
    forms = {row.form: row.held for row in texts}
    if forms.get(_NUMBER, 0) < _ENOUGH * sum(forms.values()):
        return _judged(texts)
    number = sql.SQL(r"CASE WHEN {name}::text ~ '^\d+(\.\d+)?$' THEN {name}::text::numeric END")
    held = _judged(await ask("catalogue_numbers", {**where, "number": number.format(name=name)}))
    others = sum(forms.values()) - forms.get(_NUMBER, 0)
    return None if held is None else replace(held, others=held.others + others)


def _judged(answer: Sequence[Row[Any]] | Refusal) -> HeldMoments | None:
    if isinstance(answer, Refusal):
        return None
    by_form: Mapping[str, Row[Any]] = {row.form: row for row in answer}
    zeros = by_form[_ZERO].held if _ZERO in by_form else 0
    values = sum(row.held for row in answer) - zeros
    most = max(
        (row for name, row in by_form.items() if name in set(MomentForm)),
        key=lambda row: row.held,
        default=None,
    )
    if most is None or most.held < _ENOUGH * values:
        return HeldMoments(None, values, zeros, 0, None)
    form = MomentForm(most.form)
    return HeldMoments(form, most.held, zeros, values - most.held, _day(form, most.newest))


def _day(form: MomentForm, newest: float | str) -> date | None:
    """The day of the newest value, in UTC."""
    if form in _FRACTIONS:
        return (_EPOCH + timedelta(seconds=float(newest) / _FRACTIONS[form])).date()
    if form in _MULTIPLES:
        return (_EPOCH + timedelta(seconds=float(newest) * _MULTIPLES[form])).date()
    text = str(newest) if isinstance(newest, str) else f"{newest:.0f}"
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None  # the digits of no day that there is, such as 31 February
