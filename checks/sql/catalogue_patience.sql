-- Bounds the next statements of this transaction; never loosens a stricter bound.
SELECT pg_catalog.set_config(
    'statement_timeout',
    CASE
        WHEN s.milliseconds = 0 THEN p.milliseconds
        ELSE LEAST(s.milliseconds, p.milliseconds)
    END::text,
    true
)
FROM (SELECT %(milliseconds)s::bigint) AS p (milliseconds)
CROSS JOIN (
    -- pg_settings, which has the number, makes a row of every setting first.
    SELECT (1000 * extract(epoch FROM current_setting('statement_timeout')::interval))::bigint
) AS s (milliseconds)
