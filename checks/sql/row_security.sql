-- Where row security stands between a role and the rows of these relations: one row for each role
-- and each table behind them that is subject to it. None: row security is off there, or the role is
-- above it (superuser, BYPASSRLS, owner without FORCE ROW LEVEL SECURITY).
--
-- Every row is open to the role for certain only by a permissive policy that is the constant true,
-- with no restrictive one beside it. A view reads with its owner's rights, unless it is
-- security_invoker; partitions and children are read by the policies of the parent that is named.
-- Roles that are not there yet belong to no other.
WITH RECURSIVE cte_viewer AS (
    SELECT n.name, r.oid
    FROM unnest(COALESCE(%(roles)s::text[], ARRAY[current_user::text])) AS n (name)
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = n.name
), cte_scanned AS (
    SELECT v.name AS viewer, v.oid AS viewer_oid, c.oid AS relation, c.oid AS found,
        v.oid AS role_oid
    FROM cte_viewer AS v
    JOIN pg_catalog.pg_class AS c ON c.oid = ANY(%(relations)s::bigint[]::oid[])
    UNION
    SELECT s.viewer, s.viewer_oid, s.relation, d.refobjid,
        CASE WHEN i.invoker THEN s.viewer_oid ELSE v.relowner END
    FROM cte_scanned AS s
    JOIN pg_catalog.pg_class AS v ON v.oid = s.found AND v.relkind = 'v'
    JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = v.oid AND r.ev_type = '1'
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> v.oid
    CROSS JOIN LATERAL (
        SELECT COALESCE(bool_or(o.option_value::boolean), false)
        FROM pg_catalog.pg_options_to_table(v.reloptions) AS o
        WHERE o.option_name = 'security_invoker'
    ) AS i (invoker)
), cte_subject AS (
    SELECT
        row_number() OVER () AS number,
        s.viewer, s.viewer_oid, s.relation, s.role_oid,
        COALESCE(r.rolname::text, s.viewer) AS role,
        t.oid, t.relname, t.relnamespace,
        COALESCE(pg_catalog.pg_has_role(s.role_oid, t.relowner, 'USAGE'), false) AS owns
    FROM cte_scanned AS s
    JOIN pg_catalog.pg_class AS t ON t.oid = s.found AND t.relrowsecurity
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.role_oid
    WHERE NOT COALESCE(
        r.rolsuper
        OR r.rolbypassrls
        OR (NOT t.relforcerowsecurity AND pg_catalog.pg_has_role(r.oid, t.relowner, 'USAGE')),
        false
    )
), cte_policy AS (
    SELECT
        s.number, p.polname::text AS name, p.polpermissive AS permissive, p.polcmd AS code,
        pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS shown,
        pg_catalog.pg_get_expr(COALESCE(p.polwithcheck, p.polqual), p.polrelid) AS admitted,
        g.named,
        g.named OR 0 = ANY(p.polroles) AS applies
    FROM cte_subject AS s
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = s.oid
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM unnest(p.polroles) AS r (oid)
            WHERE r.oid <> 0 AND pg_catalog.pg_has_role(s.role_oid, r.oid, 'USAGE')
        )
    ) AS g (named)
)
SELECT
    s.relation::bigint AS relation,
    s.viewer,
    n.nspname::text AS schema,
    s.relname::text AS name,
    s.role,
    ARRAY(
        SELECT k.command
        FROM (
            VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')
        ) AS k (command, code)
        WHERE (
            SELECT
                bool_or(CASE k.code
                    WHEN 'a' THEN p.admitted = 'true'
                    WHEN 'w' THEN p.shown = 'true' AND p.admitted = 'true'
                    ELSE p.shown = 'true'
                END)
                AND bool_and(p.permissive)
            FROM cte_policy AS p
            WHERE p.number = s.number AND p.applies AND p.code::text IN (k.code, '*')
        )
    ) AS open_for,
    ARRAY(
        SELECT p.name FROM cte_policy AS p
        WHERE p.number = s.number AND p.applies AND NOT p.permissive
        ORDER BY 1
    ) AS restrictive,
    ARRAY(SELECT p.name FROM cte_policy AS p WHERE p.number = s.number ORDER BY 1) AS policies,
    s.owns OR EXISTS (SELECT FROM cte_policy AS p WHERE p.number = s.number AND p.named) AS named,
    -- The service's own roles, where the viewer is one of them or a member.
    ARRAY(
        SELECT g.rolname::text
        FROM pg_catalog.pg_roles AS g
        WHERE g.rolname = ANY(%(service)s::text[])
          AND EXISTS (
              SELECT FROM pg_catalog.pg_roles AS m
              WHERE m.rolname = ANY(%(service)s::text[])
                AND pg_catalog.pg_has_role(s.viewer_oid, m.oid, 'USAGE')
          )
        ORDER BY g.rolname DESC
    ) AS service_roles
FROM cte_subject AS s
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
ORDER BY s.relation, s.viewer, n.nspname, s.relname
