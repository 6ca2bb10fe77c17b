-- The impressions viewed since a moment: how many, by artwork; how many of them are ahead of the
-- clock; and how many of their users had none before.
WITH added AS (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id, {viewed_moment} > %(now)s AS is_ahead
    FROM {impressions} AS i
    WHERE i.{viewed_at} > {since}
),
newcomers AS (
    SELECT count(*) AS n
    FROM (SELECT DISTINCT a.user_id FROM added AS a) AS u
    WHERE NOT EXISTS (
        SELECT FROM {impressions} AS i
        WHERE i.{user} = u.user_id AND (i.{viewed_at} > {since}) IS NOT TRUE
    )
)
SELECT
    a.artwork_id::text AS id,
    count(*) AS tracked,
    count(*) FILTER (WHERE a.is_ahead) AS ahead,
    (SELECT n FROM newcomers) AS newcomers
FROM added AS a
GROUP BY a.artwork_id
