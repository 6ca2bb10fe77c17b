"""The census as the contract words it, in two references: plain Python, and an anti-join in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.spec import Audience
from tests.support.app_schema import INFINITY, MICROSECOND, AppSchema
from tests.support.galleries import SHOWN, Gallery, Listing, Person, Piece, micros

Counts = tuple[int, int, int, int]
"""Tracked, fresh, storage, legacy_untracked."""


@dataclass(frozen=True)
class ExpectedCensus:
    """Every number of a census, what each user sees of it, and the state of each pair.

    `by_user` and `states` hold users outside of the audience too; the counts don't.
    """

    counts: Counts
    appeared: int
    legacy_artworks: int
    oldest_legacy: float | None
    audience: int
    users: int
    affected: int
    by_user: dict[str, tuple[bool, Counts]]
    states: dict[tuple[str, str], str]


def legacy_of(expected: ExpectedCensus) -> set[tuple[str, str]]:
    """The legacy pairs of the audience."""
    return {
        pair
        for pair, state in expected.states.items()
        if state == "legacy_untracked" and expected.by_user[pair[0]][0]
    }


def expected_census(gallery: Gallery, schema: AppSchema) -> ExpectedCensus:
    """Judges each pair by itself."""
    people = [p for p in gallery.people if not schema.people_filtered or p.note == SHOWN]
    pieces = [
        p
        for p in gallery.pieces
        if p.created is not None and (not schema.pieces_filtered or p.note == SHOWN)
    ]
    viewers = {viewer for viewer, _ in gallery.views}
    member = {p.id: gallery.pools.audience is Audience.ALL or p.id in viewers for p in people}
    states = {
        (person.id, piece.id): _state(person, piece, gallery, schema)
        for person in people
        for piece in pieces
        if (not schema.owned or piece.owner == person.id)
        and all(
            getattr(person, name) is not None and getattr(person, name) == getattr(piece, name)
            for name in schema.shared
        )
        and (not schema.listed or _listings(person, piece, gallery))
    }
    counted = {pair: state for pair, state in states.items() if member[pair[0]]}
    legacy = [pair for pair, state in counted.items() if state == "legacy_untracked"]
    created = {piece.id: schema.kept(piece.created) for piece in pieces}
    born = [moment for _, piece in legacy if (moment := created[piece]) is not None]
    until = gallery.verified_until
    return ExpectedCensus(
        counts=_counts(counted.values()),
        appeared=sum(until is not None and moment <= micros(until) for moment in born),
        legacy_artworks=len({piece for _, piece in legacy}),
        oldest_legacy=_seconds(min(born)) if born else None,
        audience=sum(member.values()),
        users=len(people),
        affected=len({person for person, _ in legacy}),
        by_user={
            schema.key(p.id): (
                member[p.id],
                _counts(state for (person, _), state in states.items() if person == p.id),
            )
            for p in people
        },
        states={
            (schema.key(person), schema.key(piece)): state
            for (person, piece), state in states.items()
        },
    )


def _state(person: Person, piece: Piece, gallery: Gallery, schema: AppSchema) -> str:
    if (person.id, piece.id) in gallery.views:
        return "tracked"
    created = schema.kept(piece.created)
    assert created is not None
    pools = gallery.pools
    age = micros(gallery.now) - created
    if age < pools.fresh_for // MICROSECOND:
        return "fresh"
    if age < pools.legacy_after // MICROSECOND:
        return "storage"
    before = pools.legacy_created_before
    if before is not None and not created < micros(before):
        return "storage"
    came = schema.kept(person.created) if schema.aged else None
    if came is not None and created < came:
        return "storage"
    if schema.listed_since:
        listed = [schema.kept(one.since) for one in _listings(person, piece, gallery)]
        if all(since is not None and created < since for since in listed):
            return "storage"
    return "legacy_untracked"


def _listings(person: Person, piece: Piece, gallery: Gallery) -> list[Listing]:
    return [
        one
        for one in gallery.listings
        if (one.person, one.piece) == (person.id, piece.id) and one.note == SHOWN
    ]


def _counts(states: Iterable[str]) -> Counts:
    tally = Counter(states)
    return tally["tracked"], tally["fresh"], tally["storage"], tally["legacy_untracked"]


def _seconds(moment: int) -> float:
    if abs(moment) == INFINITY:
        return float("inf") if moment > 0 else float("-inf")
    return moment / 1_000_000


# An age is compared by adding seconds to the creation, which no time zone's calendar bends.
_ANTI_JOIN = """
WITH person AS ({people}),
piece AS ({pieces}),
shown AS ({views}),
listing AS (
    SELECT user_id, artwork_id, min(coalesce(since, '-infinity')) AS since FROM ({listings}) AS l
    GROUP BY user_id, artwork_id
),
member AS (
    SELECT p.*,
        %(everybody)s OR EXISTS (SELECT FROM shown AS s WHERE s.user_id = p.id) AS counted
    FROM person AS p
),
pair AS (
    SELECT m.id AS user_id, m.counted, a.id AS artwork_id, a.created_at,
        CASE
            WHEN s.user_id IS NOT NULL THEN 'tracked'
            WHEN a.created_at + make_interval(secs => %(fresh_for)s) > %(now)s THEN 'fresh'
            WHEN a.created_at + make_interval(secs => %(legacy_after)s) > %(now)s THEN 'storage'
            WHEN a.created_at >= %(before)s::timestamptz THEN 'storage'
            WHEN a.created_at < m.created_at THEN 'storage'
            WHEN a.created_at < l.since THEN 'storage'
            ELSE 'legacy_untracked'
        END AS state
    FROM member AS m
    CROSS JOIN piece AS a
    LEFT JOIN (SELECT DISTINCT user_id, artwork_id FROM shown) AS s
        ON s.user_id = m.id AND s.artwork_id = a.id
    LEFT JOIN listing AS l ON l.user_id = m.id AND l.artwork_id = a.id
    WHERE (NOT %(owned)s OR a.owner_id = m.id) AND ({agreeing})
        AND (NOT %(listed)s OR l.user_id IS NOT NULL)
)
SELECT
    count(*) FILTER (WHERE counted AND state = 'tracked') AS tracked,
    count(*) FILTER (WHERE counted AND state = 'fresh') AS fresh,
    count(*) FILTER (WHERE counted AND state = 'storage') AS storage,
    count(*) FILTER (WHERE counted AND state = 'legacy_untracked') AS legacy,
    count(*) FILTER (WHERE counted AND state = 'legacy_untracked'
        AND created_at <= %(verified)s::timestamptz) AS appeared,
    count(DISTINCT artwork_id) FILTER (WHERE counted AND state = 'legacy_untracked') AS artworks,
    count(DISTINCT user_id) FILTER (WHERE counted AND state = 'legacy_untracked') AS affected,
    extract(epoch FROM
        min(created_at) FILTER (WHERE counted AND state = 'legacy_untracked'))::float8 AS oldest,
    (SELECT count(*) FROM member WHERE counted) AS audience,
    (SELECT count(*) FROM member) AS users,
    (SELECT coalesce(json_agg(json_build_array(m.id, m.counted,
        (SELECT count(*) FROM pair AS p WHERE p.user_id = m.id AND p.state = 'tracked'),
        (SELECT count(*) FROM pair AS p WHERE p.user_id = m.id AND p.state = 'fresh'),
        (SELECT count(*) FROM pair AS p WHERE p.user_id = m.id AND p.state = 'storage'),
        (SELECT count(*) FROM pair AS p WHERE p.user_id = m.id AND p.state = 'legacy_untracked')
    )), '[]') FROM member AS m) AS by_user,
    coalesce(json_agg(json_build_array(user_id, artwork_id, state)), '[]') AS states
FROM pair
"""


async def anti_join(
    connection: AsyncConnection, gallery: Gallery, schema: AppSchema
) -> ExpectedCensus:
    """Every user with every artwork, anti-joined to the impressions, on the server that holds the
    gallery: slow on real tables, and simple enough to be believed."""
    pools = gallery.pools
    parts = {
        "people": schema.people,
        "pieces": schema.pieces,
        "views": schema.views,
        "listings": schema.listings,
        "agreeing": schema.agreeing,
    }
    statement = _ANTI_JOIN.format(**{name: sql.replace("%", "%%") for name, sql in parts.items()})
    result = await connection.exec_driver_sql(
        statement,
        {
            "everybody": pools.audience is Audience.ALL,
            "owned": schema.owned,
            "listed": schema.listed,
            "now": gallery.now,
            "fresh_for": pools.fresh_for.total_seconds(),
            "legacy_after": pools.legacy_after.total_seconds(),
            "before": pools.legacy_created_before,
            "verified": gallery.verified_until,
        },
    )
    row = result.one()
    return ExpectedCensus(
        counts=(row.tracked, row.fresh, row.storage, row.legacy),
        appeared=row.appeared,
        legacy_artworks=row.artworks,
        oldest_legacy=row.oldest,
        audience=row.audience,
        users=row.users,
        affected=row.affected,
        by_user={user: (counted, (t, f, s, n)) for user, counted, t, f, s, n in row.by_user},
        states={(user, artwork): state for user, artwork, state in row.states},
    )
