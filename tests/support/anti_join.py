"""The census as people write it: every user with every artwork, anti-joined to the impressions.

The second reference, on the server itself. Slow on real tables, and simple enough to be believed.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.spec import Audience
from tests.support.galleries import Gallery
from tests.support.halls import Hall
from tests.support.reckoning import Reckoning

# An age is compared by adding seconds to the creation, which no time zone's calendar bends.
_ANTI_JOIN = """
WITH person AS ({people}),
piece AS ({pieces}),
shown AS ({views}),
member AS (
    SELECT p.id, p.created_at,
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
            ELSE 'legacy_untracked'
        END AS state
    FROM member AS m
    CROSS JOIN piece AS a
    LEFT JOIN (SELECT DISTINCT user_id, artwork_id FROM shown) AS s
        ON s.user_id = m.id AND s.artwork_id = a.id
    WHERE NOT %(owned)s OR a.owner_id = m.id
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


async def anti_join(connection: AsyncConnection, gallery: Gallery, hall: Hall) -> Reckoning:
    """Asks the server about the gallery that hangs there."""
    pools = gallery.pools
    parts = {"people": hall.people, "pieces": hall.pieces, "views": hall.views}
    statement = _ANTI_JOIN.format(**{name: sql.replace("%", "%%") for name, sql in parts.items()})
    result = await connection.exec_driver_sql(
        statement,
        {
            "everybody": pools.audience is Audience.ALL,
            "owned": hall.owned,
            "now": gallery.now,
            "fresh_for": pools.fresh_for.total_seconds(),
            "legacy_after": pools.legacy_after.total_seconds(),
            "before": pools.legacy_created_before,
            "verified": gallery.verified_until,
        },
    )
    row = result.one()
    return Reckoning(
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
