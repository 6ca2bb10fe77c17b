-- What views read by the rights of whoever reads them (security_invoker): the relations beneath, each
-- with the view that is asked about, and whether the role may read the columns that views name.
WITH RECURSIVE cte_read AS (
    SELECT c.oid AS view, c.oid AS found, NULL::integer AS number
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = ANY(%(relations)s::bigint[]::oid[])
    UNION
    SELECT r.view, d.refobjid, d.refobjsubid
    FROM cte_read AS r
    JOIN pg_catalog.pg_class AS v ON v.oid = r.found AND v.relkind = 'v'
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = v.oid AND w.ev_type = '1'
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> v.oid
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(v.reloptions) AS o
        WHERE o.option_name = 'security_invoker' AND o.option_value::boolean
    )
)
SELECT
    r.view::bigint AS view,
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS can_use_schema,
    bool_and(CASE
        WHEN r.number > 0
        THEN pg_catalog.has_column_privilege(c.oid, r.number::smallint, 'SELECT')
        ELSE pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
    END) AS can_select
FROM cte_read AS r
JOIN pg_catalog.pg_class AS c ON c.oid = r.found
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid <> r.view AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
GROUP BY r.view, c.oid, n.oid, n.nspname, c.relname
ORDER BY n.nspname, c.relname, r.view
