-- The end of every form of the census. Expects the CTEs
--   audience (size)                                   users that are counted
--   artwork  (id, created_at, pairs, tracked, excused)    one row a counted artwork:
--            pairs it takes part in; of these with an impression; of those without one,
--            those whose user came after the artwork (never legacy)
-- One more incomplete artwork is named than a census keeps (MOST_INCOMPLETE): then there are more.
SELECT audience.size AS audience, everybody.users AS users, counts.*, named.incomplete
FROM cte_audience AS audience
CROSS JOIN (
    WITH cte_everybody AS {leaf} (SELECT count(*) AS users FROM {counted_users} AS u)
    SELECT everybody.users FROM cte_everybody AS everybody
) AS everybody
CROSS JOIN (
    SELECT
        coalesce(sum(a.pairs), 0)::bigint AS pairs,
        coalesce(min(a.pairs - a.tracked - a.excused), 0)::bigint AS least_unseen,
        coalesce(sum(a.tracked), 0)::bigint AS tracked,
        coalesce(sum(a.tracked) FILTER (WHERE NOT {is_legacy}), 0)::bigint AS young_tracked,
        coalesce(sum(a.pairs - a.tracked) FILTER (
            WHERE a.created_at > %(fresh_after)s), 0)::bigint AS fresh,
        coalesce(sum(a.pairs - a.tracked) FILTER (
            WHERE a.created_at <= %(fresh_after)s AND NOT {is_legacy}), 0)::bigint
            + coalesce(sum(a.excused) FILTER (WHERE {is_legacy}), 0)::bigint AS storage,
        coalesce(sum(a.pairs - a.tracked - a.excused) FILTER (WHERE {is_legacy}), 0)::bigint
            AS legacy_untracked,
        count(*) FILTER (WHERE {is_legacy} AND a.pairs - a.tracked - a.excused > 0)
            AS legacy_artworks,
        coalesce(sum(a.pairs - a.tracked - a.excused) FILTER (
            WHERE {is_legacy} AND a.created_at <= %(verified_until)s::timestamptz), 0)::bigint
            AS appeared,
        extract(epoch FROM min(a.created_at) FILTER (
            WHERE {is_legacy} AND a.pairs - a.tracked - a.excused > 0))::float8 AS oldest_legacy
    FROM cte_artwork AS a
) AS counts
CROSS JOIN (
    SELECT array_agg(few.id) AS incomplete
    FROM (
        SELECT a.id::text AS id
        FROM cte_artwork AS a
        WHERE {is_legacy} AND a.pairs - a.tracked - a.excused > 0
        LIMIT 1001
    ) AS few
) AS named
