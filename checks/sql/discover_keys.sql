-- What keys say, of many relations at once: foreign keys (target set) and unique indexes of every
-- row (target null), each with its columns in order.
SELECT
    con.conrelid::bigint AS relation,
    con.confrelid::bigint AS target,
    false AS "primary",
    ARRAY(
        SELECT a.attname::text
        FROM unnest(con.conkey) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = k.attnum
        ORDER BY k.position
    ) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(con.confkey) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.confrelid AND a.attnum = k.attnum
        ORDER BY k.position
    ) AS target_columns
FROM pg_catalog.pg_constraint AS con
WHERE con.contype = 'f' AND con.conrelid = ANY(%(relations)s::bigint[])
UNION ALL
SELECT
    x.indrelid::bigint,
    NULL,
    x.indisprimary,
    ARRAY(
        SELECT a.attname::text
        FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
        WHERE k.position <= x.indnkeyatts
        ORDER BY k.position
    ),
    ARRAY[]::text[]
FROM pg_catalog.pg_index AS x
WHERE x.indisunique
  AND x.indisvalid
  AND x.indpred IS NULL
  AND NOT 0 = ANY(x.indkey::smallint[])
  AND x.indrelid = ANY(%(relations)s::bigint[])
