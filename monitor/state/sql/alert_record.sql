-- What was told of alerts, in the order of the key; what is known already is left as it is.
INSERT INTO {state}.alert (fingerprint, starts_at, status, name, taken_by)
SELECT a.fingerprint, a.starts_at, a.status, a.name, %(taken_by)s
FROM
    unnest(
        %(fingerprints)s::text[], %(starts)s::timestamptz[], %(statuses)s::text[], %(names)s::text[]
    ) AS a (fingerprint, starts_at, status, name)
ORDER BY a.fingerprint, a.starts_at, a.status
ON CONFLICT (fingerprint, starts_at, status) DO NOTHING
RETURNING fingerprint, starts_at, status
