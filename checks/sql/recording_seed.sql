-- The same as recording_sample for a long time back, in one pass: by interval, numbered from 1970.
-- One row of three arrays: some 18,000 intervals, which as rows would take ten times the memory.
-- What was viewed again since is counted where it was viewed last, so this erodes, the more the
-- older it is. A full join for the reason of recording_sample.
WITH cte_recorded AS {leaf} (
    SELECT
        floor(extract(epoch FROM v.moment) / %(seconds)s)::bigint AS number,
        count(*) AS impressions
    FROM (
        SELECT
            i.{user} AS user_id, i.{artwork} AS artwork_id, i.{viewed_at} AS viewed_at,
            {viewed_moment} AS moment
        FROM {impressions} AS i
        WHERE i.{viewed_at} >= {viewed_start} AND i.{viewed_at} < {viewed_end}
    ) AS v
    FULL JOIN {synthetic} AS s
        ON s.user_id = v.user_id AND s.artwork_id = v.artwork_id AND s.viewed_at = v.viewed_at
    WHERE s.user_id IS NULL
    GROUP BY 1
),
cte_created AS {leaf} (
    SELECT
        floor(extract(epoch FROM {created_moment}) / %(seconds)s)::bigint AS number,
        count(*) AS artworks
    FROM {artworks} AS a
    WHERE a.{artwork_created} >= {created_start} AND a.{artwork_created} < {created_end}
    GROUP BY 1
),
cte_joined AS {leaf} (
    SELECT
        coalesce(recorded.number, created.number) AS number,
        coalesce(recorded.impressions, 0) AS impressions,
        coalesce(created.artworks, 0) AS artworks
    FROM cte_recorded AS recorded
    FULL JOIN cte_created AS created ON created.number = recorded.number
)
SELECT
    array_agg(b.number ORDER BY b.number) AS numbers,
    array_agg(b.impressions ORDER BY b.number) AS impressions,
    array_agg(b.artworks ORDER BY b.number) AS artworks
FROM cte_joined AS b
