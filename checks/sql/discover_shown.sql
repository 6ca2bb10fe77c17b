-- By the value of a flag in a table that has a row for each artwork: how many artworks, and how many
-- of them anybody has seen by the rows that are there.
SELECT
    l.{flag} AS flag,
    count(*) AS artworks,
    count(*) FILTER (
        WHERE EXISTS (SELECT FROM {impressions} AS i WHERE i.{artwork} = a.{id})
    ) AS seen
FROM {artworks} AS a
JOIN {labels} AS l ON l.{label} = a.{id}
GROUP BY l.{flag}
