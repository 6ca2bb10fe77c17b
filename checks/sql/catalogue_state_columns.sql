-- Columns of the service's own tables, those that are there, with their types. The collation is
-- named where it is not the type's own. Nobody needs a privilege for it.
SELECT
    c.relname::text AS "table",
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.atttypid::bigint AS oid,
    a.atttypmod >= 0 AS limited,
    t.typcategory::text AS category,
    CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN (
        SELECT pg_catalog.quote_ident(own.nspname) || '.' || pg_catalog.quote_ident(co.collname)
        FROM pg_catalog.pg_collation AS co
        JOIN pg_catalog.pg_namespace AS own ON own.oid = co.collnamespace
        WHERE co.oid = a.attcollation
    ) END AS "collation"
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE n.nspname = %(state_schema)s
  AND (c.relname, a.attname) IN (
      SELECT * FROM unnest(%(tables)s::name[], %(columns)s::name[])
  )
