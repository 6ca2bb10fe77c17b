-- The foreign keys of one relation. A key proves something about the rows that are there only when
-- it was validated and is enforced: PostgreSQL 18 has NOT ENFORCED (read through jsonb, since
-- older servers lack the column), and DISABLE TRIGGER ALL switches a key off on any version.
SELECT
    con.conname::text AS name,
    con.confrelid::bigint AS target_oid,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS target,
    con.convalidated AS validated,
    COALESCE((to_jsonb(con) ->> 'conenforced')::boolean, true) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgconstraint = con.oid AND t.tgenabled NOT IN ('O', 'A')
    ) AS enforced,
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
JOIN pg_catalog.pg_class AS c ON c.oid = con.confrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE con.conrelid = %(relation)s::oid AND con.contype = 'f'
ORDER BY con.conname
