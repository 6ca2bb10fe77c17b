-- Which relation a configured name means now: as `catalogue_relation` finds it.
SELECT c.oid::bigint AS oid
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = %(name)s
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND CASE
          WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
          ELSE n.nspname = %(schema)s::text
      END
