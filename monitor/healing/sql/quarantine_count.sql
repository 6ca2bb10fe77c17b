-- Legacy pairs of the audience that are put aside, and when the first is tried again.
SELECT count(*) AS pairs, min(p.retry_at) AS retry_at
FROM (
    {quarantined_pairs}
) AS p
WHERE p.in_audience AND p.retry_at > %(due_until)s
