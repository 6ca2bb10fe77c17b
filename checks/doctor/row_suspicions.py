"""Suspicions about rows: that a row that is there is a view at all, and that artworks and users are
all in use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from checks.doctor.column_words import Says, Sort, is_about_entities, says_seen, words_of
from checks.doctor.counting_rows import also, counting
from checks.doctor.ddl import among, quoted
from checks.doctor.findings import Finding, advice, error, healing_error, warning
from checks.doctor.input import WITH_IDS, Answer, DoctorInput, Rows, about, any_impressions
from checks.doctor.own_values import plain
from checks.doctor.row_tallies import KindRows, Reading, Tally, kept, literal
from checks.relations import Relation
from checks.spec import TableRole

_VALUES_SHOWN = 5
_SOME_IDS = 3
"""Fewer that are no artworks may be of some that were deleted."""
_ESTIMATED = "By the statistics of ANALYZE: "
_NO_WORD = re.compile(r"\W+")
_NO_VIEW = (
    "Where such a row is no view, its pair is counted as tracked all the same, and nothing would "
    "be written for it."
)
_OTHER_KIND = (
    "A row of another kind is no view of these artworks: where the ids are the same, its pair is "
    "counted as tracked, and nothing would be written for it."
)
_NOT_IN_USE = {
    "artworks": (
        "The app probably shows them to nobody; they are counted as if it did, and healing would "
        "write impressions of them."
    ),
    "users": (
        "They are probably shown nothing; they are counted as if they were, and healing would "
        "write impressions for them."
    ),
}
_UNREAD_USE = "Rows that are no longer in use may be counted with the others."
_SAID: Mapping[str | None, str] = {
    None: "NULL",
    Reading.ZERO: "0",
    Reading.ONE: "not 0",
    Reading.EPOCH: "not 0",
}


@about(any_impressions)
def rows_are_views(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A column by which some impressions don't say that the user has seen the artwork."""
    for tally in given.evidence.rows.of("impressions", *Says):
        of_kinds = tally.telling.says is Says.KIND and not _is_proven(given, impressions)
        consequence = _OTHER_KIND if of_kinds else _NO_VIEW
        if of_kinds:
            problems = _kinds(given, tally)
        elif tally.telling.sort is Sort.VALUE:
            problems = _states(tally)
        else:
            problems = _not_views(tally)
        for name, problem in problems.items():
            yield healing_error(
                "rows_not_views",
                f"{impressions.configured}.{tally.name}",
                problem=f"{'' if tally.exact else _ESTIMATED}{problem}",
                consequence=consequence,
                **counting(given, tally),
                accepted_as=name,
            )


def rows_are_in_use(given: DoctorInput) -> Iterator[Finding]:
    """A column by which the app no longer shows some artworks, or nothing to some users."""
    for role, relation in given.facts.found:
        if role.key not in _NOT_IN_USE:
            continue
        tallies = list(given.evidence.rows.of(role.key, *Says))
        told = [one for one in tallies if 0 < sum(one.excluding().values()) < one.total]
        untold = [one.name for one in tallies if one.rows is None]
        if not told and not untold:
            continue
        parts = [f"{one.name} is {_said(one, one.excluding())}" for one in told]
        by = "" if not told or told[0].exact else _ESTIMATED
        problem = f"{by}Of {told[0].total:,} rows, {', '.join(parts)}." if told else ""
        if untold:
            problem += f" What {', '.join(untold)} says of each row could not be read."
        yield warning(
            "rows_not_in_use",
            relation.configured,
            problem=problem.strip(),
            consequence=_NOT_IN_USE[role.key] if told else _UNREAD_USE,
            settings={f"catalog.{role.key}.where": _where(role, told)} if told else {},
            accepted_as=f"{role.key}_not_in_use",
        )


def ids_are_above_zero(given: DoctorInput) -> Iterator[Finding]:
    """Users or artworks that no person made, by their number."""
    for role, relation in given.facts.found:
        rows = given.evidence.ids.get(role.key)
        if rows is None or rows.below_zero is not Answer.YES:
            continue
        name = plain(role.ids[0])
        yield advice(
            "ids_below_zero",
            f"{relation.configured}.{role.ids[0]}",
            problem="Some ids are below 0, beside those above.",
            consequence=(
                "Machines, test accounts and samples are often numbered so. They are counted as"
                " the others are."
            ),
            settings={f"catalog.{role.key}.where": also(role.where, f"{name} > 0")},
        )


def parents_are_in_use(given: DoctorInput) -> Iterator[Finding]:
    """The same of a table that has a row for each of them, under the same id."""
    for role, relation in given.facts.found:
        for parent in given.evidence.rows.parents.get(role.key, ()):
            told = [one for one in parent.tallies if 0 < sum(one.excluding().values()) < one.total]
            if not told:
                continue
            parts = [f"{one.name} is {_said(one, one.excluding())}" for one in told]
            admitted = " AND ".join(kept(one) for one in told)
            where = among(plain(role.ids[0]), parent.key, parent.table, admitted)
            yield warning(
                "parents_not_in_use",
                relation.configured,
                problem=(
                    f"Each of them is a row of {parent.table}. Of {told[0].total:,} there,"
                    f" {', '.join(parts)}."
                ),
                consequence=_NOT_IN_USE[role.key],
                settings={f"catalog.{role.key}.where": also(role.where, where)},
                accepted_as=f"{role.key}_not_in_use",
            )


def ids_are_whole_keys(given: DoctorInput) -> Iterator[Finding]:
    """An id that stands for one row only together with another column: a tenant's own numbers."""
    for role, relation in given.facts.found:
        name = role.ids[0]
        if not is_part_of_key(given, role, relation):
            continue
        beside = ", ".join(relation.key_beside(name))
        mixed = role.key in given.evidence.rows.mixed
        yield error(
            "ids_not_unique",
            f"{relation.configured}.{name}",
            problem=(
                f"{name} is an id only together with {beside}: the same one comes back with "
                f"another {beside}"
                + (f", and {given.spec.impressions.table} has rows of several." if mixed else ".")
            ),
            consequence=f"Impressions of several {role.key} would be counted as if of one.",
            remedy=_one_of_each(given, role, relation),
        )


def is_part_of_key(given: DoctorInput, role: TableRole, relation: Relation) -> bool:
    """Whether the same id is that of several rows, which another column of the key tells apart."""
    if role.key not in WITH_IDS or not relation.key_beside(role.ids[0]):
        return False
    rows = given.evidence.ids.get(role.key, Rows())
    return rows.duplicates is Answer.YES or role.key in given.evidence.rows.mixed


def _one_of_each(given: DoctorInput, role: TableRole, relation: Relation) -> str:
    """A configuration for each value of the key's other columns."""
    beside, impressions = relation.key_beside(role.ids[0]), given.facts.impressions
    one = " AND ".join(f"{quoted(name)} = <one of them>" for name in beside)
    lines = [
        f"-- one configuration for each {', '.join(beside)}, with a database.state_schema of its "
        "own (docs/your-tables.md)",
        f"catalog.{role.key}.where: {one}",
    ]
    if impressions is not None and impressions.columns.keys() >= set(beside):
        lines.append(f"catalog.impressions.where: {one}")
        lines += [f"catalog.impressions.defaults.{name}: <that one>" for name in beside]
    return "\n".join(lines)


def _not_views(tally: Tally) -> dict[str, str]:
    """The problem by the suspicion's name: of a moment, NULL and 0 are two."""
    if tally.rows is None:
        # One that can't be NULL could hold only what stands for never, and hardly ever does.
        never = tally.telling.sort is Sort.MOMENT and tally.telling.column.not_null
        return {} if never else _unread(tally)
    excluded = tally.excluding()
    apart = tally.telling.says is Says.COUNTS and tally.telling.sort is not Sort.FLAG
    groups = [{reading: rows} for reading, rows in excluded.items()] if apart else [excluded]
    return {
        _accepted_as(tally, zeros=Reading.ZERO in group): (
            f"Of {tally.total:,} rows, {tally.name} is {_said(tally, group)}."
        )
        for group in groups
        if group
    }


def _states(tally: Tally) -> dict[str, str]:
    if not _tells_states(tally):
        return {}
    if tally.rows is None:
        return _unread(tally)
    values = tally.rows
    if len(values) <= 1 or all(value is not None and says_seen(value) for value in values):
        return {}
    shown = [f"{literal(value)} ({rows:,} rows)" for value, rows in _most(values)]
    return {_accepted_as(tally): _listed(tally, shown)}


def _tells_states(tally: Tally) -> bool:
    """A kind beside a foreign key to the artworks says what was done, if it isn't said of what:
    `kind`, and not `device_type`."""
    return tally.telling.says is Says.STATE or len(words_of(tally.name)) == 1


def _kinds(given: DoctorInput, tally: Tally) -> dict[str, str]:
    """Other columns of that name than those about entities need a kind that isn't there."""
    by_name = is_about_entities(tally.name, given.spec.impressions.artwork)
    if tally.rows is None:
        return _unread(tally) if by_name else {}
    kinds = given.evidence.rows.kinds.get(tally.name)
    if len(tally.rows) <= 1 or not (by_name or kinds is None or _lacks(kinds)):
        return {}
    if kinds is None:
        shown = [f"{literal(value)} ({n:,} rows)" for value, n in _most(tally.rows)]
    else:
        shown = [
            f"{literal(one.kind)} ({one.rows:,} rows; {one.artworks:,} of {one.ids:,} ids are in "
            f"{given.spec.artworks.table})"
            for one in kinds[:_VALUES_SHOWN]
        ]
    return {_accepted_as(tally): _listed(tally, shown)}


def _unread(tally: Tally) -> dict[str, str]:
    return {_accepted_as(tally): f"What {tally.name} says of each row could not be read."}


def _listed(tally: Tally, shown: Sequence[str]) -> str:
    number = len(tally.rows or {})
    more = f" and {number - len(shown)} more" if number > len(shown) else ""
    return f"{tally.name} has {number} values: {', '.join(shown)}{more}."


def _lacks(kinds: Sequence[KindRows]) -> bool:
    """Some kind's ids are mostly no artworks."""
    return any(one.ids - one.artworks >= _SOME_IDS and one.artworks * 2 < one.ids for one in kinds)


def _is_proven(given: DoctorInput, impressions: Relation) -> bool:
    """A foreign key proves that every row is about an artwork."""
    artworks, spec = given.facts.artworks, given.spec
    return artworks is not None and (
        impressions.foreign_key_to(artworks, spec.impressions.artwork, spec.artworks.id) is not None
    )


def _accepted_as(tally: Tally, *, zeros: bool = False) -> str:
    """The suspicion's name."""
    match tally.telling.says, tally.telling.sort:
        case Says.KIND, _:
            what = "kinds_in"
        case Says.STATE, _:
            what = "values_in"
        case Says.EXCLUDED, _:
            what = "rows_with"
        case _, Sort.FLAG:
            what = "rows_not"
        case _:
            what = "zeros_in" if zeros else "nulls_in"
    return f"{what}_{_NO_WORD.sub('_', tally.name)}"


def _said(tally: Tally, readings: Mapping[str | None, int]) -> str:
    """`NULL in 3`, `false in 2 and NULL in 1`."""
    said: Counter[str] = Counter()
    for reading, rows in readings.items():
        if tally.telling.sort is Sort.VALUE:
            said[literal(reading)] += rows
        elif reading == Reading.ZERO and tally.telling.sort is Sort.MOMENT:
            said["1970-01-01, which stands for never,"] += rows
        else:
            said[_SAID.get(reading, str(reading))] += rows
    return " and ".join(f"{words} in {rows:,}" for words, rows in said.most_common())


def _most(rows: Mapping[str | None, int]) -> list[tuple[str | None, int]]:
    return Counter(rows).most_common(_VALUES_SHOWN)


def _where(role: TableRole, told: Sequence[Tally]) -> str:
    """The filter that is there, and one that leaves out what is not in use."""
    return also(role.where, *(kept(one) for one in told))
