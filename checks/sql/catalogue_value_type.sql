-- Of which type the operator's expression is, and whether PostgreSQL assigns it to the column without
-- a cast. It is not evaluated: of no row the value is NULL, and has its type all the same.
SELECT
    pg_catalog.format_type(f.source, NULL) AS type,
    f.source = f.target
        OR t.typcategory = 'S'
        OR (s.typcategory = 'A' AND t.typcategory = 'A')
        OR EXISTS (
            SELECT FROM pg_catalog.pg_cast AS c
            WHERE c.castsource = f.source AND c.casttarget = f.target
              AND c.castcontext IN ('a', 'i')
        ) AS fits
FROM (
    SELECT
        COALESCE(NULLIF(d.typbasetype, 0), d.oid) AS source,
        %(target)s::oid AS target
    FROM (SELECT 1) AS one
    LEFT JOIN (SELECT {bare_value} AS value FROM {pair} WHERE FALSE) AS v ON TRUE
    JOIN pg_catalog.pg_type AS d ON d.oid = pg_catalog.pg_typeof(v.value)
) AS f
JOIN pg_catalog.pg_type AS s ON s.oid = f.source
JOIN pg_catalog.pg_type AS t ON t.oid = f.target
