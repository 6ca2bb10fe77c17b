-- The same as recording_sample for a long time back, in one pass: by interval, numbered from 1970.
-- One row of three arrays: some 18,000 intervals, which as rows would take ten times the memory.
-- What was viewed again since is counted where it was viewed last, so this erodes, the more the
-- older it is.
WITH cte_recorded AS {leaf} (
    SELECT
        floor(extract(epoch FROM r.moment) / %(seconds)s)::bigint AS number,
        count(*) AS impressions
    FROM (
        SELECT {viewed_moment} AS moment
        FROM {impressions} AS i
        LEFT JOIN {synthetic} AS s
            -- Not by `=`: the rows of a batch have one moment, and are not to be joined by that.
            ON s.user_id = i.{user} AND s.artwork_id = i.{artwork}
            AND s.viewed_at IS NOT DISTINCT FROM i.{viewed_at}
        WHERE i.{viewed_at} >= {viewed_start} AND i.{viewed_at} < {viewed_end} AND s.user_id IS NULL
    ) AS r
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
