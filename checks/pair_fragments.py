"""Who may be shown what, as pieces of the statements: `artworks.owner`, `pairs.same`,
`pairs.through`.

In all of them a user is `u`, an artwork is `a`, and a row of `pairs.through` is `l`. In statements
that count by group, users and artworks that agree in every column of `pairs.same` are one group;
without such columns everybody is in the same one, and the pieces are empty.
"""

from __future__ import annotations

from enum import Enum

from psycopg import sql

from checks.relations import Catalogue, Column
from checks.statements import Fragments, identifier, raw

_TRUE = raw("TRUE")
_BEGAN = "coalesce({}, '-infinity')"

# pg_type.oid of types whose values are equal in one of them exactly if they are in the other.
_INTEGERS = frozenset({20, 21, 23})
_TEXTS = frozenset({25, 1043})


def _equal_alike(left: Column, right: Column) -> bool:
    """Values of both that equal a third one equal each other, whichever type compares them."""
    if left.collation_oid != right.collation_oid:
        return False
    types = {left.base_oid, right.base_oid}
    return len(types) == 1 or types <= _INTEGERS or types <= _TEXTS


def is_counted_by_pair(catalogue: Catalogue) -> bool:
    """Every pair has to be looked at: something lists them, or the columns in which user and
    artwork agree make no groups, because they are of different types."""
    spec = catalogue.spec
    if spec.pairs.through is not None:
        return True
    return spec.artworks.owner is None and not all(
        _equal_alike(catalogue.users.columns[one.user], catalogue.artworks.columns[one.artwork])
        for one in spec.pairs.same
    )


class Pairing(Enum):
    """Who may be shown what, as far as statements differ by it."""

    LISTED = "each pair has to be looked at"
    OWNED = "artworks are shown to their owner only"
    BY_USER_AGE = "artworks older than the user are not legacy for them"
    ALL = "every artwork is shown to every user that it agrees with"


def pairing(catalogue: Catalogue) -> Pairing:
    """Who may be shown what on this catalogue."""
    if is_counted_by_pair(catalogue):
        return Pairing.LISTED
    if catalogue.spec.artworks.owner is not None:
        return Pairing.OWNED
    if catalogue.spec.users.created_at is not None:
        return Pairing.BY_USER_AGE
    return Pairing.ALL


def lists_pairs_once(catalogue: Catalogue) -> bool:
    """No pair can be among the candidates twice."""
    spec, listed = catalogue.spec, catalogue.through
    through = spec.pairs.through
    if through is None or listed is None:
        return True
    ids = (
        (listed.columns[through.user], catalogue.users.columns[spec.users.id]),
        (listed.columns[through.artwork], catalogue.artworks.columns[spec.artworks.id]),
    )
    return listed.unique_on(through.user, through.artwork) is not None and all(
        _equal_alike(*one) for one in ids
    )


def has_one_row_a_pair(catalogue: Catalogue) -> bool:
    """No pair can have two rows of the impressions, counted or not."""
    spec, impressions = catalogue.spec, catalogue.impressions
    ids = (
        (impressions.columns[spec.impressions.user], catalogue.users.columns[spec.users.id]),
        (
            impressions.columns[spec.impressions.artwork],
            catalogue.artworks.columns[spec.artworks.id],
        ),
    )
    unique = impressions.unique_on(spec.impressions.user, spec.impressions.artwork)
    return unique is not None and all(_equal_alike(*one) for one in ids)


def pair_fragments(
    catalogue: Catalogue, through_rows: sql.Composable | None, since: sql.Composable | None
) -> Fragments:
    """The pieces, from the rows that list the pairs and, of such a row `l`, since when it does."""
    spec = catalogue.spec
    owned = _TRUE if spec.artworks.owner is None else raw("a.owner_id = u.id")
    belongs = _all(owned, _agree(catalogue, "u", "a"))
    younger = raw("coalesce(u.created_at <= a.created_at, TRUE)")
    excused: list[sql.Composable] = [raw("coalesce(u.created_at > a.created_at, FALSE)")]
    pieces: dict[str, sql.Composable] = {
        "is_owned": owned,
        "belongs": belongs,
        "is_paired": belongs,
        "not_excused": younger,
        "candidates": raw("cte_people AS u CROSS JOIN cte_counted AS a"),
        "listed_to_user": _TRUE,
        "listed_to_users": _TRUE,
        "listing_of_pair": raw("SELECT 1 AS n, NULL::timestamptz AS since"),
        "shared_values": raw("jsonb_build_array({})").format(_shared_values(catalogue)),
        **_groups(catalogue),
    }
    if through_rows is not None:
        assert spec.pairs.through is not None
        pair = {
            "rows": through_rows,
            "user": identifier(spec.pairs.through.user),
            "artwork": identifier(spec.pairs.through.artwork),
            "user_cast": raw(catalogue.users.columns[spec.users.id].cast),
            "artwork_cast": raw(catalogue.artworks.columns[spec.artworks.id].cast),
        }
        listed = raw(
            "EXISTS (SELECT 1 FROM {rows} AS l WHERE l.{user} = u.id AND l.{artwork} = a.id{since})"
        )
        pieces["is_paired"] = _all(belongs, listed.format(**pair, since=raw("")))
        pieces["candidates"] = raw(
            "{rows} AS l JOIN cte_people AS u ON u.id = l.{user}"
            " JOIN cte_counted AS a ON a.id = l.{artwork}"
        ).format(**pair)
        pieces["listed_to_user"] = raw("l.{user} = %(user_id)s::{user_cast}").format(**pair)
        pieces["listed_to_users"] = raw("l.{user} = ANY (%(users)s::text[]::{user_cast}[])").format(
            **pair
        )
        pieces["listing_of_pair"] = raw(
            "SELECT count(*) AS n, min({since}) AS since FROM {rows} AS l"
            " WHERE l.{user} = %(user_id)s::{user_cast}"
            " AND l.{artwork} = %(artwork_id)s::{artwork_cast}"
        ).format(**pair, since=raw("NULL::timestamptz" if since is None else _BEGAN).format(since))
        if since is not None:
            begun = raw(" AND coalesce({} <= a.created_at, TRUE)").format(since)
            pieces["not_excused"] = _all(younger, listed.format(**pair, since=begun))
            excused.append(raw("coalesce({} > a.created_at, FALSE)").format(since))
    return {**pieces, **_judged(catalogue, sql.SQL(" OR ").join(excused))}


def _judged(catalogue: Catalogue, excused: sql.Composable) -> Fragments:
    """What is selected of each pair of `candidates`: one that is listed more than once is excused
    only where each of these excuses it."""
    if lists_pairs_once(catalogue):
        judged = raw("a.created_at, ({}) AS excused").format(excused)
        return {"judged": judged, "each_once": raw("")}
    judged = raw("min(a.created_at) AS created_at, bool_and({}) AS excused").format(excused)
    return {"judged": judged, "each_once": raw("GROUP BY u.id, a.id")}


def _groups(catalogue: Catalogue) -> Fragments:
    return {
        "t_group": _columns(catalogue, "t"),
        "u_group": _columns(catalogue, "u"),
        "a_group": _columns(catalogue, "a"),
        "by_u_group": _group_by(catalogue, "u"),
        "by_a_group": _group_by(catalogue, "a"),
        "in_group": raw("PARTITION BY {}").format(_list(catalogue, "t"))
        if catalogue.spec.pairs.same
        else raw(""),
        "u_has_group": _known(catalogue, "u"),
        "a_has_group": _known(catalogue, "a"),
        "agrees": _agree(catalogue, "u", "a"),
        "seen_by_group": raw("JOIN cte_people AS u ON u.id = p.user_id AND {}").format(
            _agree(catalogue, "u", "p")
        )
        if catalogue.spec.pairs.same
        else raw(""),
        "crowd_agrees": _agree(catalogue, "crowd", "a"),
        "shown_agrees": _agree(catalogue, "shown", "a"),
        "total_agrees": _agree(catalogue, "u", "total"),
    }


def _shared_values(catalogue: Catalogue) -> sql.Composable:
    """For each column in which pairs agree: the user's value, the artwork's, whether they do."""
    numbers = range(len(catalogue.spec.pairs.same))
    compared = "jsonb_build_array(u.same_{0}::text, a.same_{0}::text, u.same_{0} = a.same_{0})"
    return sql.SQL(", ").join(raw(compared.format(one)) for one in numbers)


def _list(catalogue: Catalogue, alias: str) -> sql.Composable:
    names = [raw(f"{alias}.same_{number}") for number in range(len(catalogue.spec.pairs.same))]
    return sql.SQL(", ").join(names)


def _columns(catalogue: Catalogue, alias: str) -> sql.Composable:
    """To be put behind other columns."""
    return raw(", {}").format(_list(catalogue, alias)) if catalogue.spec.pairs.same else raw("")


def _group_by(catalogue: Catalogue, alias: str) -> sql.Composable:
    """One row a group; one row in all without columns to agree in."""
    if not catalogue.spec.pairs.same:
        return raw("")
    return raw("GROUP BY {}").format(_list(catalogue, alias))


def _agree(catalogue: Catalogue, left: str, right: str) -> sql.Composable:
    numbers = range(len(catalogue.spec.pairs.same))
    return _all(*(raw(f"{left}.same_{one} = {right}.same_{one}") for one in numbers))


def _known(catalogue: Catalogue, alias: str) -> sql.Composable:
    """NULL agrees with nothing: a window would take it for a group like any other."""
    numbers = range(len(catalogue.spec.pairs.same))
    return _all(*(raw(f"{alias}.same_{one} IS NOT NULL") for one in numbers))


def _all(*conditions: sql.Composable) -> sql.Composable:
    told = [one for one in conditions if one != _TRUE]
    return sql.SQL(" AND ").join(told) if told else _TRUE
