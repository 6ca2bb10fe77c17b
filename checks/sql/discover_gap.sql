-- How a moment of the artworks lies to their first sampled view: how many of them have it, how many
-- were viewed before it, and the usual gap in seconds, or in the unit of both where they are numbers.
SELECT
    count(*) AS artworks,
    count(first.created) AS known,
    count(*) FILTER (WHERE first.viewed < first.created - {slack}) AS before,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY first.viewed - first.created) AS gap
FROM (
    SELECT ({created})::double precision AS created, min(({viewed})::double precision) AS viewed
    FROM {rows} AS i
    JOIN {artworks} AS a ON a.{id} = i.{artwork}
    GROUP BY a.{id}, 1
) AS first
