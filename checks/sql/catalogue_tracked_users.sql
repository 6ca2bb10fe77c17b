-- Distinct users among the impressions, by the planner's statistics: counting them would read
-- every impression. A negative n_distinct is a share of the rows. A partitioned table only has
-- inherited statistics, and those of a whole tree are the better ones anyway.
SELECT round(
    CASE
        WHEN s.n_distinct < 0 THEN -s.n_distinct * %(estimated_rows)s::double precision
        ELSE s.n_distinct
    END
)::bigint AS tracked_users
FROM pg_catalog.pg_stats AS s
WHERE s.schemaname = %(schema)s
  AND s.tablename = %(table)s
  AND s.attname = %(column)s
  AND s.n_distinct <> 0
ORDER BY s.inherited DESC
LIMIT 1
