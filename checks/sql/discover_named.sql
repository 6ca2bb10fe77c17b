-- Of the different ids that sampled rows name in one column, how many another table has. Each is
-- looked up by itself, so that a large table is asked through an index and not read.
SELECT
    count(*) AS ids,
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM {target} AS t WHERE t.{id} = named.id
    )) AS there
FROM (
    SELECT DISTINCT i.{column} AS id
    FROM {rows} AS i
    WHERE i.{column} IS NOT NULL AND ({filter})
    LIMIT %(most)s
) AS named
