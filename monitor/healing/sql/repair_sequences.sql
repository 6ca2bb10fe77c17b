-- The sequences that the defaults of a table draw from, quoted.
SELECT DISTINCT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS name
FROM pg_catalog.pg_attrdef AS a
JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = a.oid
JOIN pg_catalog.pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
WHERE a.adrelid = %(target)s::oid
ORDER BY 1
