-- What has become of the impressions that a run's ledger lists: still as the run wrote them, touched
-- by the app since, or gone. By user first, as the rows lie.
SELECT
    coalesce(sum(u.listed), 0)::bigint AS listed,
    count(*) AS users,
    coalesce(sum(u.untouched), 0)::bigint AS untouched,
    coalesce(sum(u.touched), 0)::bigint AS touched,
    coalesce(sum(u.gone), 0)::bigint AS gone
FROM (
    SELECT
        b.user_id,
        count(*) AS listed,
        count(*) FILTER (WHERE i.{viewed_at} = b.viewed_at) AS untouched,
        count(*) FILTER (
            WHERE i.{user} IS NOT NULL AND i.{viewed_at} IS DISTINCT FROM b.viewed_at
        ) AS touched,
        count(*) FILTER (WHERE i.{user} IS NULL) AS gone
    FROM {state}.backfilled_impression AS b
    LEFT JOIN {impressions} AS i ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id
    WHERE b.run_id = %(undoes)s
    GROUP BY b.user_id
) AS u
