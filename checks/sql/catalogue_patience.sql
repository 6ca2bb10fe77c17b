-- Bounds the next statements of this transaction; never loosens a stricter bound.
SELECT pg_catalog.set_config(
    'statement_timeout',
    CASE
        WHEN s.setting = '0' THEN %(milliseconds)s::bigint
        ELSE LEAST(s.setting::bigint, %(milliseconds)s::bigint)
    END::text,
    true
)
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'statement_timeout'
