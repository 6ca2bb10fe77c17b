"""Who may be shown what, and what leaves artworks out: asked of other tables that know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from psycopg import sql

from checks.discover.answers import Choice, Question, View
from checks.discover.candidates import Candidate, comparable
from checks.discover.sampling import WHOLE_BYTES, Sampler, name_of
from checks.discover.tables import Key, Table, Tables
from checks.discover.words import says_people, singular, stem
from checks.doctor.column_words import words_of
from checks.doctor.ddl import among, quoted
from checks.doctor.own_values import plain
from checks.errors import Refusal
from checks.statements import compose, identifier, raw

_NEARLY_ALL = 0.98
_LESS = 0.95
_SOME_LEFT_OUT = 0.9
"""Where more of the pairs are inside than this, memberships explain nothing."""
_ENOUGH_ROWS = 20
_FEWEST_UNSEEN = 5
_MOST_MEMBERSHIPS, _MOST_FLAGS, _MOST_VALUES = 8, 12, 21


async def owner(sampler: Sampler, candidate: Candidate) -> Choice | None:
    """The column of the artworks with the only user who is shown it."""
    artworks, user = candidate.artwork.table, candidate.user
    for column in artworks.columns.values():
        leads = any(one.columns == (column.name,) for one in _keys_to(artworks, user.table))
        named = says_people(column.name) or "owner" in words_of(column.name)
        if not (leads or named) or not comparable(column, user.table.columns[user.id]):
            continue
        names = {**await _joined(sampler, candidate), "owner": identifier(column.name)}
        found = await sampler.first("discover_owner", names)
        if found is None or found.rows < _ENOUGH_ROWS:
            continue
        if found.own >= _NEARLY_ALL * found.rows:
            told = f"of {found.rows:,} impressions looked at, {found.own:,} are its own user's"
            return Choice("artworks.owner", column.name, told)
    return None


def _keys_to(table: Table, target: Table) -> tuple[Key, ...]:
    return tuple(one for one in table.keys if one.target == target.oid and len(one.columns) == 1)


async def _joined(sampler: Sampler, candidate: Candidate) -> dict[str, sql.Composable]:
    return {
        "rows": await sampler.rows(candidate.impressions),
        "artworks": name_of(candidate.artwork.table),
        "id": identifier(candidate.artwork.id),
        "user": identifier(candidate.user.column),
        "artwork": identifier(candidate.artwork.column),
    }


@dataclass(frozen=True, slots=True)
class Membership:
    """A table that may say which users belong to which groups of artworks."""

    table: Table
    member: str
    belongs: str
    group: str
    """The artworks' column."""


async def membership(
    sampler: Sampler, tables: Tables, candidate: Candidate, filter_: sql.Composable
) -> tuple[Membership, str] | None:
    """The memberships that explain which pairs there are, and what speaks for them.

    `filter_`: over an impression, which of them count.
    """
    for one in [*_memberships(tables, candidate)][:_MOST_MEMBERSHIPS]:
        indexed = any(names[0] == one.member for names in one.table.unique)
        if not indexed and await sampler.size(one.table) > WHOLE_BYTES:
            continue
        names = {
            **await _joined(sampler, candidate),
            "memberships": name_of(one.table),
            **{key: identifier(getattr(one, key)) for key in ("member", "belongs", "group")},
            "filter": filter_,
        }
        found = await sampler.first("discover_membership", names)
        if found is None or found.rows < _ENOUGH_ROWS or not found.pairs:
            continue
        share = found.pairs_inside / found.pairs
        if found.inside >= _NEARLY_ALL * found.rows and share <= _SOME_LEFT_OUT:
            return one, (
                f"of {found.rows:,} impressions looked at, {found.inside:,} are of a"
                f" {one.group} that {one.table.configured} gives their user; were everything"
                f" shown to everybody, about {share:.0%} would be"
            )
    return None


def _memberships(tables: Tables, candidate: Candidate) -> Iterator[Membership]:
    artworks, impressions = candidate.artwork.table, candidate.impressions
    people = {candidate.user.table.oid} | {
        key.target for key in impressions.keys if key.columns == (candidate.user.column,)
    }
    for table in tables.readable:
        if table.oid in {artworks.oid, impressions.oid, candidate.user.table.oid}:
            continue
        members = [one for one in table.keys if one.target in people and len(one.columns) == 1]
        for key in members:
            for belongs, group in _groups(table, artworks):
                if belongs != key.columns[0]:
                    yield Membership(table, key.columns[0], belongs, group)


def _groups(table: Table, artworks: Table) -> Iterator[tuple[str, str]]:
    """Columns of both by which they refer to the same row of a third."""
    seen = set[tuple[str, str]]()
    for one in table.keys:
        for other in artworks.keys:
            same = (one.target, one.target_columns) == (other.target, other.target_columns)
            if same and len(one.columns) == 1:
                seen.add((one.columns[0], other.columns[0]))
    yield from sorted(seen)


@dataclass(frozen=True, slots=True)
class Listing:
    """What lists the pairs."""

    through: Mapping[str, str]
    """`pairs.through`."""
    values: Mapping[str, str]
    """Column of the impressions to the expression for what only the pair's own row has."""
    view: View | None
    """To be made first; None where it is there."""


def listing(tables: Tables, candidate: Candidate, found: Membership, evidence: str) -> Listing:
    """The view of the pairs that memberships make: one of that name that is there, or a new one."""
    artworks, pair = candidate.artwork.table, (candidate.user.column, candidate.artwork.column)
    passed = {
        key.columns[0]: key.target_columns[0]
        for key in candidate.impressions.keys
        if key.target == found.table.oid and len(key.columns) == 1
    }
    name = f"{'_'.join(stem(pair[0]))}_{artworks.name}"
    known = {one.name: one for one in tables.readable if one.schema == artworks.schema}
    if name in known:
        there = known[name]
        named = {pair[1], f"{singular(artworks.name)}_id"} & there.columns.keys()
        if named and pair[0] in there.columns:
            through = {"table": there.configured, "user": pair[0], "artwork": min(named)}
            return Listing(
                through, _of_pair(name for name in passed if name in there.columns), None
            )
        name = next(one for number in count(2) if (one := f"{name}_{number}") not in known)
    columns = [
        ("m", found.member, pair[0]),
        ("a", candidate.artwork.id, pair[1]),
        *(("m", own, column) for column, own in passed.items()),
    ]
    shown = name if artworks.visible else f"{artworks.schema}.{name}"
    statement = compose(_VIEW, _view_parts(artworks, name, found, columns)).as_string(None)
    if passed:
        statement = statement.replace("SELECT DISTINCT", "SELECT", 1)
    through = {"table": shown, "user": pair[0], "artwork": pair[1]}
    return Listing(through, _of_pair(passed), View(shown, statement, evidence))


_VIEW = """CREATE VIEW {name} AS
    SELECT DISTINCT {columns}
    FROM {memberships} AS m
    JOIN {artworks} AS a ON a.{group} = m.{belongs};"""


def _view_parts(
    artworks: Table, name: str, found: Membership, columns: Sequence[tuple[str, str, str]]
) -> dict[str, sql.Composable]:
    selected = [raw(f"{alias}.{plain(own)} AS {plain(shown)}") for alias, own, shown in columns]
    return {
        "name": sql.Identifier(artworks.schema, name),
        "columns": sql.SQL(", ").join(selected),
        "memberships": sql.Identifier(found.table.schema, found.table.name),
        "artworks": sql.Identifier(artworks.schema, artworks.name),
        "group": raw(plain(found.group)),
        "belongs": raw(plain(found.belongs)),
    }


def _of_pair(names: Iterable[str]) -> dict[str, str]:
    return {name: f"pair.{plain(name)}" for name in names}


async def shown_by_flag(
    sampler: Sampler, tables: Tables, candidate: Candidate, indexed: bool
) -> Choice | None:
    """A flag in a table with a row for each artwork, that explains what nobody has seen.

    `indexed`: an index of the impressions leads with the artwork, so that each is looked up.
    """
    if not indexed and await sampler.size(candidate.impressions) > WHOLE_BYTES:
        return None
    flags = [*_flags(tables, candidate)][:_MOST_FLAGS]
    for table, label, flag in flags:
        names = {
            **await _joined(sampler, candidate),
            "artworks": await sampler.rows(candidate.artwork.table),
            "impressions": name_of(candidate.impressions),
            "labels": name_of(table),
            "label": identifier(label),
            "flag": identifier(flag),
        }
        answer = await sampler.ask("discover_shown", names)
        if isinstance(answer, Refusal):
            continue
        seen = {row.flag for row in answer if row.seen}
        unseen = sum(row.artworks for row in answer if not row.seen)
        if len(seen) == 1 and seen <= {True, False} and unseen >= _FEWEST_UNSEEN:
            shown = plain(flag) if True in seen else f"NOT {plain(flag)}"
            where = among(
                plain(candidate.artwork.id), plain(label), quoted(table.schema, table.name), shown
            )
            told = (
                f"{unseen:,} artworks looked at were seen by nobody: by {table.configured}.{flag}"
            )
            return Choice("artworks.where", where, told)
    return None


def _flags(tables: Tables, candidate: Candidate) -> Iterator[tuple[Table, str, str]]:
    """Flags of tables that have a row for each artwork, under the same ids."""
    artworks = candidate.artwork.table
    id_ = artworks.columns[candidate.artwork.id]
    for table in tables.readable:
        if table.oid in {artworks.oid, candidate.impressions.oid}:
            continue
        for column in table.columns.values():
            leads = any(one.columns == (column.name,) for one in _keys_to(table, artworks))
            same = column.name in (candidate.artwork.column, id_.name) and column.name != "id"
            if table.is_unique(column.name) and (leads or same) and comparable(column, id_):
                for flag in table.columns.values():
                    if flag.cast == "boolean":
                        yield table, column.name, flag.name


async def one_of_each(
    sampler: Sampler, candidate: Candidate
) -> tuple[tuple[Choice, ...], Question] | None:
    """One value of the column without which ids stand for several rows, where all three have it."""
    tables = (candidate.artwork.table, candidate.user.table, candidate.impressions)
    ids = (candidate.artwork.id, candidate.user.id)
    if any(one.is_unique(id_) for one, id_ in zip(tables, ids, strict=False)):
        return None
    beside = {
        frozenset({*next(iter(one.unique), ())} - {id_})
        for one, id_ in zip(tables, ids, strict=False)
    }
    (names, *others) = beside
    if others or len(names) != 1 or any(not names <= one.columns.keys() for one in tables):
        return None
    (name,) = names
    asked = {"rows": await sampler.rows(candidate.impressions), "column": identifier(name)}
    answer = await sampler.ask("discover_values", asked, {"most": _MOST_VALUES})
    if isinstance(answer, Refusal) or not answer:
        return None
    column = candidate.impressions.columns[name]
    first = answer[0]
    value = first.value if column.category == "N" else sql.Literal(first.value).as_string(None)
    one = f"{plain(name)} = {value}"
    total = sum(row.rows for row in answer)
    told = f"ids come back with another {name}; of this one are {first.rows:,} of {total:,} rows"
    choices = [Choice(f"{part}.where", one, told) for part in ("artworks", "users", "impressions")]
    if column.required:
        choices.append(Choice("impressions.defaults", {name: value}, "as where says"))
    many = f"{len(answer)}" if len(answer) < _MOST_VALUES else f"{_MOST_VALUES - 1} or more"
    return tuple(choices), Question(
        f"catalog.*.where: {name}",
        f"An id stands for one row only together with {name}, of which there are {many}. Which one"
        " is to be watched? This is the one with the most impressions.",
        (
            f"{plain(name)} = <another>, in a configuration and database.state_schema of its own",
            "views of all three tables with ids made of both columns: to count all, and heal none",
        ),
    )
