-- Would rows so made be among those that `where` admits, and count? The columns that either names
-- are as they would be written; nothing is.
SELECT
    count(*) AS made,
    count(*) FILTER (WHERE judged.admitted IS NOT TRUE) AS outside,
    count(*) FILTER (WHERE judged.counted IS NOT TRUE) AS uncounted
FROM (
    SELECT {where} AS admitted, {counts} AS counted
    FROM (
        SELECT {columns}
        FROM {pairs} AS m{sources}
        LIMIT 1000
    ) AS {name}
) AS judged
