-- Of sampled rows, how many have something in a column, and how many different things.
SELECT
    count(*) AS rows,
    count(t.{column}) AS set,
    count(DISTINCT t.{column}::text) AS different,
    count(*) FILTER (WHERE t.{column}::text = 'true') AS true
FROM {rows} AS t
