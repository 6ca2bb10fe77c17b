-- Are ids below 0 beside those above? Both ends of an index say so.
SELECT 1
FROM (
    SELECT min(t.id) AS least, max(t.id) AS most
    FROM (
        SELECT {column} AS id
        FROM {table}
        WHERE ({filter}
        )
    ) AS t
) AS ends
WHERE ends.least < 0 AND ends.most > 0
