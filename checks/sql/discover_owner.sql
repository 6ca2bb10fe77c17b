-- Of sampled rows whose artwork names somebody in a column, how many are of that very user.
SELECT count(*) AS rows, count(*) FILTER (WHERE a.{owner}::text = i.{user}::text) AS own
FROM {rows} AS i
JOIN {artworks} AS a ON a.{id} = i.{artwork}
WHERE a.{owner} IS NOT NULL
