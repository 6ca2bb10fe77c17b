-- Sequences that the defaults of the impressions advance: nextval() runs with the rights of whoever
-- inserts. Identity columns need no right, and columns that healing fills don't reach their default.
SELECT DISTINCT n.nspname AS schema, s.relname AS name
FROM pg_attrdef AS def
JOIN pg_attribute AS a ON a.attrelid = def.adrelid AND a.attnum = def.adnum
JOIN pg_depend AS dep
    ON dep.classid = 'pg_attrdef'::regclass
   AND dep.objid = def.oid
   AND dep.refclassid = 'pg_class'::regclass
JOIN pg_class AS s ON s.oid = dep.refobjid AND s.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = s.relnamespace
WHERE def.adrelid = %(relation)s::oid AND NOT a.attname = ANY(%(written)s::text[])
ORDER BY 1, 2
