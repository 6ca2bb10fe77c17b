-- Legacy pairs of the audience that are put aside, how many of them are behind the last verified
-- cutoff, and when the first is tried again.
SELECT
    count(*) AS pairs,
    count(*) FILTER (WHERE p.created_at <= %(verified_until)s) AS appeared,
    min(p.retry_at) AS retry_at
FROM (
    {quarantined_pairs}
) AS p
WHERE p.in_audience AND p.retry_at > %(due_until)s
