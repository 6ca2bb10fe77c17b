-- The relations that this transaction has named so far, and whether the role may read them.
SELECT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS can_use_schema,
    pg_catalog.has_table_privilege(c.oid, 'SELECT') AS can_select
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.pid = pg_catalog.pg_backend_pid()
  AND l.locktype = 'relation'
  AND l.database = (
      SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
  )
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY c.oid, n.oid, n.nspname, c.relname
ORDER BY n.nspname, c.relname
