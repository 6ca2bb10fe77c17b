-- What a relation is called now, quoted where that is needed.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = %(oid)s::oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
