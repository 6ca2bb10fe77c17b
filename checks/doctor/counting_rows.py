"""Which impressions count, as settings: `where` for what the rows are about, `counts` for what they
say, and `set` where it is plain what brings one to count."""

from __future__ import annotations

from typing import Any

from checks.doctor.column_words import Says, Sort, names, says_seen
from checks.doctor.findings import Mending
from checks.doctor.input import DoctorInput
from checks.doctor.moments import stored_value
from checks.doctor.row_tallies import Reading, Tally, kept, literal
from checks.doctor.time_zones import MOMENTS
from checks.doctor.values import moment_value

_SETTING = "catalog.impressions"
_LEFT_ALONE = (
    "Without `set`, pairs whose row is there and does not count are counted, told and left alone:"
    " what else such a row says, only the application knows."
)


def counting(given: DoctorInput, tally: Tally) -> Mending:
    """What says which rows count, by every column that tells: one snippet for all of them."""
    shown = {
        one.name: (one, text)
        for one in given.evidence.rows.of("impressions", *Says)
        if (text := _shown(given, one)) is not None
    }
    if tally.name not in shown:
        key = "where" if tally.telling.says is Says.KIND else "counts"
        return {"remedy": f"{_SETTING}.{key}: {tally.quoted} = <what says that it was seen>"}
    kinds = {name: one for name, one in shown.items() if one[0].telling.says is Says.KIND}
    others = {name: one for name, one in shown.items() if name not in kinds}
    spec = given.spec.impressions
    settings: dict[str, Any] = {}
    if kinds:
        settings[f"{_SETTING}.where"] = also(spec.where, *(text for _, text in kinds.values()))
        settings[f"{_SETTING}.defaults"] = {
            name: literal(*_seen(given, one)) for name, (one, _) in kinds.items()
        }
    if not others:
        return {"settings": settings}
    settings[f"{_SETTING}.counts"] = also(spec.counts, *(text for _, text in others.values()))
    values = {name: _value(given, one) for name, (one, _) in others.items()}
    if None in values.values():
        return {"settings": settings, "remedy": _LEFT_ALONE}
    return {"settings": {**settings, f"{_SETTING}.set": values}}


def _shown(given: DoctorInput, tally: Tally) -> str | None:
    """The condition for the rows that are views; None where it takes a person to say it."""
    if tally.telling.sort is not Sort.VALUE:
        return kept(tally) if tally.rows is None or tally.excluding() else None
    seen = _seen(given, tally)
    if len(seen) == 1:
        return f"{tally.quoted} = {literal(*seen)}"
    if not seen or tally.telling.says is Says.KIND:
        return None  # of two kinds, a new row could be either
    return f"{tally.quoted} IN ({', '.join(literal(one) for one in seen)})"


def _seen(given: DoctorInput, tally: Tally) -> list[str]:
    """The values of the rows that are views."""
    kind = tally.telling.says is Says.KIND
    table_name = given.spec.artworks.table
    values = [value for value in tally.rows or {} if value is not None]
    return [one for one in values if (names(one, table_name) if kind else says_seen(one))]


def _value(given: DoctorInput, tally: Tally) -> str | None:
    """What the column of a row has that counts, where nothing else is lost by writing it."""
    column, rows = tally.telling.column, tally.rows or {}
    if tally.telling.says is not Says.COUNTS:
        return None  # hidden, put away: what the application did is not undone
    if tally.telling.sort is Sort.FLAG:
        return "true"
    if column.cast in MOMENTS:
        return moment_value(given, column)
    held = given.evidence.held.get(f"{_SETTING}.{column.name}")
    if held is not None and held.form is not None:
        return stored_value(given.spec, column, held)
    is_flag = Reading.ONE in rows and not rows.keys() & {Reading.EPOCH, Reading.OTHER}
    return "1" if is_flag else None


def also(there: str | None, *conditions: str) -> str:
    """The condition that is there, and others."""
    # The line break keeps a trailing comment in the operator's SQL from swallowing the bracket.
    line = "\n" if there is not None and "--" in there else ""
    first = [] if there is None else [f"({there}{line})"]
    return " AND ".join([*first, *conditions])
