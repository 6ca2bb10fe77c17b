-- Every index of one relation; on a partitioned table the parent's, which is valid only when every
-- partition has its part. Key columns come in order, and an expression as NULL.
SELECT
    c.relname::text AS name,
    am.amname::text AS method,
    x.indisunique AS "unique",
    x.indisprimary AS "primary",
    x.indisvalid AND x.indisready AND x.indislive AS valid,
    x.indpred IS NOT NULL AS partial,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate,
    -- The predicate's own columns, as its stored form numbers them.
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.regexp_matches(x.indpred::text, ':varattno (\d+)', 'g') AS v (number)
        JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = x.indrelid AND a.attnum = v.number[1]::smallint
        GROUP BY a.attname
        ORDER BY 1
    ) AS predicate_columns,
    x.indimmediate AS immediate,
    con.conname::text AS "constraint",
    ARRAY(
        SELECT a.attname::text
        FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
        LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
        WHERE k.position <= x.indnkeyatts
        ORDER BY k.position
    ) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        WHERE k.position > x.indnkeyatts
        ORDER BY k.position
    ) AS included
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_constraint AS con
    ON con.conindid = x.indexrelid AND con.conrelid = x.indrelid AND con.contype IN ('p', 'u', 'x')
WHERE x.indrelid = %(relation)s::oid
ORDER BY c.relname
