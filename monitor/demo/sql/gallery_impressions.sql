-- Who has seen what. A user sees an artwork some hours after both exist, sooner or later by
-- temper. The view leaves an impression unless it happened before there was any tracking, during
-- the outage, or got lost alone; what has no impression after seven days is legacy_untracked.
WITH history AS (
    SELECT
        moment,
        moment - interval '1 day' * CAST(:tracking_since AS float) AS tracking_since,
        moment - interval '1 day' * CAST(:outage_from AS float) AS outage_from,
        moment - interval '1 day' * CAST(:outage_until AS float) AS outage_until
    FROM (SELECT now() AT TIME ZONE 'UTC' AS moment) AS clock
),

visitor AS (
    SELECT
        id,
        created_at,
        interval '1 hour' * (2 + 28 * random()) AS mean_delay
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM users) AS numbered
    WHERE place % 10 > 0 -- every tenth has never been tracked
    ORDER BY id
),

artwork AS (
    SELECT id, created_at FROM art_sessions ORDER BY created_at, id
),

view AS (
    SELECT
        visitor.id AS user_id,
        artwork.id AS artwork_id,
        -- waiting times around a mean are exponentially distributed
        greatest(artwork.created_at, visitor.created_at) - ln(1 - random()) * mean_delay
            AS viewed_at
    FROM visitor CROSS JOIN artwork
)

INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT user_id, artwork_id, viewed_at
FROM view CROSS JOIN history
WHERE
    viewed_at BETWEEN tracking_since AND moment
    AND NOT viewed_at BETWEEN outage_from AND outage_until
    AND random() >= CAST(:lost AS float)
ORDER BY viewed_at
