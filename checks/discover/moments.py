"""When an artwork was made, and when it was viewed: which columns say so, by names and by how their
values lie to each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from checks.discover.answers import Choice, Question
from checks.discover.candidates import Candidate, beginnings
from checks.discover.sampling import TRUE, Sampler, name_of
from checks.discover.words import NameRank, rank_of
from checks.doctor.column_words import Says, Sort, says_written, sort_of, tells_of_view, words_of
from checks.doctor.moments import held_moments
from checks.doctor.own_values import plain
from checks.relations import Column
from checks.statements import identifier, raw

_HALF, _HARDLY_ANY, _MOSTLY = 0.5, 0.05, 0.95
_ALIKE, _HOUR = 1.5, 3600
"""Gaps that differ by less are of one size."""
_CLOCKS, _DAY = 300, 86_400
_EARLIEST = 946_684_800
"""The first second of 2000."""
_ENOUGH_IDS = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """A column that may say when artworks were made, beside their first views."""

    column: Column
    artworks: int
    known: int
    before: int
    gap: float | None
    """In seconds, or in the unit of both; None where nothing was viewed, or not at a known time."""

    @property
    def is_possible(self) -> bool:
        """Most artworks that were viewed have it, and were viewed after it."""
        there = self.artworks == 0 or self.known > _HALF * self.artworks
        return there and self.before <= _HARDLY_ANY * max(self.known, 1)


async def viewed_at(sampler: Sampler, candidate: Candidate) -> tuple[Choice, Column | None]:
    """The column that says when an artwork was viewed; null where none does."""
    columns = [
        one
        for one in _moments_of_views(candidate)
        if not await _is_the_artworks(sampler, candidate, one)
    ]
    for column in columns:
        if sort_of(column) is Sort.NUMBER and not await _is_epoch(sampler, candidate, column):
            continue
        others = [one.name for one in columns if one is not column]
        told = f"; {', '.join(others)} would do as well" if others else ""
        why = f"a moment of each row, by its name and type ({column.type}){told}"
        return Choice("impressions.viewed_at", column.name, why), column
    return Choice("impressions.viewed_at", None, "no column says when it was viewed"), None


def _moments_of_views(candidate: Candidate) -> list[Column]:
    """Those that may, the best first."""
    ranked = []
    own = {candidate.user.column, candidate.artwork.column}
    moments = [
        one
        for one in candidate.impressions.columns.values()
        if one.name not in own and sort_of(one) in (Sort.MOMENT, Sort.NUMBER)
    ]
    for column in moments:
        telling = tells_of_view(column, candidate.impressions.name)
        says_view = telling is not None and telling.says is Says.COUNTS
        latest = bool({"last", "latest"} & {*words_of(column.name)})
        if says_view:
            ranked.append((0 if latest else 1, column))
        elif sort_of(column) is Sort.NUMBER or telling is not None:
            continue  # a count, or when it was hidden
        elif column.not_null or says_written(column.name) or len(moments) == 1:
            changed = rank_of(column.name) is NameRank.CHANGED
            rank = 2 if latest else 3 if says_written(column.name) and not changed else 4
            ranked.append((rank, column))
    return [column for _, column in sorted(ranked, key=lambda one: (one[0], not one[1].not_null))]


async def _is_the_artworks(sampler: Sampler, candidate: Candidate, column: Column) -> bool:
    """Whether it repeats what the artwork has under the same name."""
    own = candidate.artwork.table.columns.get(column.name)
    if own is None or own.cast != column.cast:
        return False
    names = {
        "impressions": await sampler.rows(candidate.impressions),
        "column": identifier(column.name),
        "own": identifier(own.name),
        **_artworks(candidate),
    }
    found = await sampler.first("catalogue_own_value", names)
    return found is not None and 0 < found.looked_at * _MOSTLY <= found.equal


def _artworks(candidate: Candidate) -> dict[str, sql.Composable]:
    return {
        "table": name_of(candidate.artwork.table),
        "id": identifier(candidate.artwork.id),
        "key": identifier(candidate.artwork.column),
    }


async def _is_epoch(sampler: Sampler, candidate: Candidate, column: Column) -> bool:
    rows = await sampler.rows(candidate.impressions)
    held = await held_moments(sampler.ask, rows, column, TRUE)
    return held is not None and held.form is not None


async def created_at(
    sampler: Sampler, candidate: Candidate, viewed: Column | None
) -> Choice | Question:
    """When an artwork was made: the column that its first views come soonest after."""
    path = "artworks.created_at"
    measured = [
        await _measure(sampler, candidate, one, viewed)
        for one in beginnings(candidate.artwork.table)
    ]
    possible = [one for one in measured if one.is_possible]
    named = [one for one in possible if rank_of(one.column.name) is not NameRank.CHANGED]
    timed = [one for one in named if one.gap is not None]
    if timed:
        nearest = min(_gap(one) for one in timed)
        alike = [one for one in timed if _gap(one) <= _ALIKE * nearest + _HOUR]
        best = min(alike, key=lambda one: rank_of(one.column.name))
        return Choice(path, best.column.name, _told(best, [one for one in timed if one != best]))
    if not named:
        inside = await _inside_ids(sampler, candidate)
        return inside or _unknown_beginning(candidate, measured)
    first, *others = named
    rivals = [one for one in others if rank_of(one.column.name) is rank_of(first.column.name)]
    if rivals:
        return _which(candidate, [first, *rivals])
    return Choice(path, first.column.name, f"by its name and type ({first.column.type})")


async def _measure(
    sampler: Sampler, candidate: Candidate, column: Column, viewed: Column | None
) -> Measured:
    alike = viewed is not None and sort_of(viewed) is sort_of(column)
    when = _number("i", viewed) if viewed is not None and alike else raw("NULL")
    # A day is known to the day, and where one of them has a zone nobody knows the other's.
    days = viewed is not None and (
        "date" in {column.cast, viewed.cast} or column.has_time_zone is not viewed.has_time_zone
    )
    slack = 0 if sort_of(column) is Sort.NUMBER else _DAY if days else _CLOCKS
    names = {
        "rows": await sampler.rows(candidate.impressions),
        "artworks": name_of(candidate.artwork.table),
        "id": identifier(candidate.artwork.id),
        "artwork": identifier(candidate.artwork.column),
        "created": _number("a", column),
        "viewed": when,
        "slack": sql.Literal(slack),
    }
    found = await sampler.first("discover_gap", names)
    if found is None:
        return Measured(column, 0, 0, 0, None)
    return Measured(column, found.artworks, found.known, found.before, found.gap)


def _number(alias: str, column: Column) -> sql.Composable:
    name = identifier(alias, column.name)
    if sort_of(column) is Sort.NUMBER:
        return sql.SQL("nullif({}, 0)").format(name)
    return sql.SQL("extract(epoch FROM {})").format(name)


def _gap(one: Measured) -> float:
    # A day begins before what is made on it.
    return math.inf if one.gap is None else max(one.gap, 0)


def _told(best: Measured, others: Sequence[Measured]) -> str:
    """In words, because a median is nobody's own value."""
    unit = "" if sort_of(best.column) is Sort.NUMBER else " s"
    text = f"first views come {_gap(best):,.0f}{unit} after it as a rule"
    for one in others:
        text += f", {_gap(one):,.0f}{unit} after {one.column.name}"
    without = best.artworks - best.known
    return f"{text}; {without:,} viewed artworks have none" if without else text


async def _inside_ids(sampler: Sampler, candidate: Candidate) -> Choice | None:
    """A moment that the ids begin with."""
    artwork = candidate.artwork
    if artwork.table.columns[artwork.id].category not in "SU":
        return None
    names = {"rows": await sampler.rows(artwork.table), "id": identifier(artwork.id)}
    found = await sampler.first("discover_inside_id", names, {"earliest": _EARLIEST})
    if found is None or found.ids < _ENOUGH_IDS:
        return None
    text = f"replace({plain(artwork.id)}::text, '-', '')"
    for count, seconds in (
        (found.milliseconds, f"('x' || substr({text}, 1, 12))::bit(48)::bigint / 1000.0"),
        (found.seconds, f"('x' || substr({text}, 1, 8))::bit(32)::bigint"),
    ):
        if count == found.ids:
            why = f"no column says it, but all of {count:,} ids begin with a moment since 2000"
            return Choice("artworks.created_at", {"sql": f"to_timestamp({seconds})"}, why)
    return None


def _which(candidate: Candidate, rivals: Sequence[Measured]) -> Question:
    names = [one.column.name for one in rivals]
    return Question(
        "catalog.artworks.created_at",
        f"{', '.join(names)} of {candidate.artwork.table.configured} may all say when an artwork"
        " was made, and nothing says which one the app goes by.",
        tuple(f"created_at: {name}" for name in names),
    )


def _unknown_beginning(candidate: Candidate, measured: Sequence[Measured]) -> Question:
    return Question(
        "catalog.artworks.created_at",
        f"No column of {candidate.artwork.table.configured} says when an artwork was made"
        f"{_refuted(measured)}.",
        (
            "created_at: <a column of it that does>",
            "created_at: {sql: <an expression over it>}",
            "table: <a view that has it from another table>",
        ),
    )


def _refuted(measured: Sequence[Measured]) -> str:
    parts = [*_why_not(measured)]
    return f": {'; '.join(parts)}" if parts else ""


def _why_not(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        name = one.column.name
        if one.known <= _HALF * one.artworks:
            yield f"{name} is set in {one.known:,} of {one.artworks:,} that were viewed"
        elif one.before > _HARDLY_ANY * one.known:
            yield f"{one.before:,} were viewed before {name}"
        else:
            yield f"{name} is named as when it was changed"
