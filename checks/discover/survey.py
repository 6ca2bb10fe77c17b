"""What rows say of candidates: whether the ids that they name are there, and how many of the pairs;
and of columns that no name and no key explains, whose ids they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checks.discover.candidates import (
    Candidate,
    Reference,
    Sign,
    are_people,
    combined,
    may_lead,
    signs_of,
    unresolved,
)
from checks.discover.people import MOST_IDS, narrowed
from checks.discover.sampling import ROWS, TRUE, WHOLE_BYTES, Sampler, name_of
from checks.discover.tables import Table, Tables
from checks.discover.words import says_works
from checks.doctor.column_words import Sort, sort_of
from checks.relations import TABLES, Column
from checks.statements import identifier

_MOST_SURVEYED = 8
_MOST_LOOKUPS = 60
"""Questions about columns that nothing but their values explains."""
_MOST_TARGETS = 8
_FEWEST_IDS = 3
_HALF = 0.5
_DENSE, _SPARSE = 0.25, 0.02
"""Shares of the pairs: shown to nearly everybody, and what few people do with few things."""


async def surveyed(
    sampler: Sampler, tables: Tables, found: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    """The best candidates with what their rows say, the best first; one for each two columns."""
    likely = _each_once(found)[:_MOST_SURVEYED]
    known = [await _with_people(sampler, tables, one) for one in likely]
    first = [await _looked_at(sampler, one) for one in known]
    fitting = {one.impressions.oid for one in first if one.fits}
    more = await _by_values(sampler, tables, fitting)
    first += [await _looked_at(sampler, one) for one in _each_once(more)[:_MOST_SURVEYED]]
    return tuple(sorted(_each_once(first), key=lambda one: (one.is_doubtful, -one.score)))


def _each_once(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The first for each two columns of a table, whichever way round."""
    kept: dict[tuple[int, frozenset[str]], Candidate] = {}
    for one in sorted(found, key=lambda one: -one.score):
        columns = frozenset((one.user.column, one.artwork.column))
        kept.setdefault((one.impressions.oid, columns), one)
    return tuple(kept.values())


async def _with_people(sampler: Sampler, tables: Tables, candidate: Candidate) -> Candidate:
    """Where nothing says that the users are people, a part of them may be named so."""
    if are_people(candidate.user):
        return candidate
    found = await narrowed(sampler, tables, candidate)
    return replace(found, signs=signs_of(found.impressions, found.user, found.artwork))


async def _looked_at(sampler: Sampler, candidate: Candidate) -> Candidate:
    signs = [
        sign
        for reference in (candidate.user, candidate.artwork)
        if (sign := await _known(sampler, candidate.impressions, reference)) is not None
    ]
    density = await _density(sampler, candidate)
    return candidate.with_signs(*signs, *([] if density is None else [density]))


async def _known(sampler: Sampler, table: Table, reference: Reference) -> Sign | None:
    named = await named_ids(sampler, table, reference.column, reference.table, reference.id)
    if named is None or named[0] < _FEWEST_IDS:
        return None
    ids, there = named
    told = f"{there:,} of {ids:,} ids looked at in {reference.column} are in"
    if there >= _HALF * ids:
        return Sign(1, f"{told} {reference.table.configured}")
    return Sign(-6, f"only {told} {reference.table.configured}")


async def named_ids(
    sampler: Sampler, table: Table, column: str, target: Table, id_: str
) -> tuple[int, int] | None:
    """How many different ids of sampled rows, and how many of them the target has."""
    names = {
        "rows": await sampler.rows(table),
        "column": identifier(column),
        "target": name_of(target),
        "id": identifier(id_),
        "filter": TRUE,
    }
    found = await sampler.first("discover_named", names, {"most": MOST_IDS})
    return None if found is None else (found.ids, found.there)


async def _density(sampler: Sampler, candidate: Candidate) -> Sign | None:
    table = candidate.impressions
    names = {
        "rows": await sampler.rows(table),
        "user": identifier(candidate.user.column),
        "artwork": identifier(candidate.artwork.column),
    }
    found = await sampler.first("discover_pairs", names)
    if found is None or min(found.users, found.artworks) < _FEWEST_IDS:
        return None
    whole = await sampler.size(table) <= WHOLE_BYTES and found.rows < ROWS
    every = candidate.user.table.rows * candidate.artwork.table.rows
    if not whole and not every:
        return None
    share = found.pairs / (found.users * found.artworks) if whole else table.rows / every
    told = f"{share:.0%} of the pairs of its users and artworks are there"
    if share >= _DENSE:
        works = says_works(candidate.artwork.table.name)
        # A view of everything that could be paired is dense, too.
        return Sign(
            3, f"{told}: as where all is shown to all", tells=works and table.kind in TABLES
        )
    return Sign(-3, f"only {told}") if share < _SPARSE else Sign(0, told)


async def _by_values(sampler: Sampler, tables: Tables, fitting: set[int]) -> list[Candidate]:
    """Candidates of tables that say what was seen, by whose ids their columns hold. Of those that
    are `fitting` already, only columns that are named as works are: there may be a better one."""
    found: list[Candidate] = []
    left = _MOST_LOOKUPS
    for table, known in unresolved(tables):
        if fitting and table.oid not in fitting:
            continue
        references = list(known)
        for column in _unexplained(table, known):
            if fitting and not says_works(column.name):
                continue
            targets = may_lead(table, column, tables)[:_MOST_TARGETS]
            if left < len(targets):
                return found
            left -= len(targets)
            for target in targets:
                reference = await _led_to(sampler, table, column, target)
                if reference is not None:
                    references.append(reference)
        if len(references) > len(known):
            found += combined(table, tuple(references))
    return found


def _unexplained(table: Table, known: Sequence[Reference]) -> list[Column]:
    """The columns that may hold ids of others."""
    named = {one.column for one in known}
    return [
        one
        for one in table.columns.values()
        if one.name not in named
        and one.category in "NSU"
        and sort_of(one) is not Sort.MOMENT
        and not table.is_unique(one.name)
    ]


async def _led_to(
    sampler: Sampler, table: Table, column: Column, target: Table
) -> Reference | None:
    named = await named_ids(sampler, table, column.name, target, target.id)
    if named is None:
        return None
    ids, there = named
    if ids < _FEWEST_IDS or there < _HALF * ids:
        return None
    return Reference(column.name, target, target.id, f"its values ({there:,} of {ids:,})", 1)
