-- How many legacy pairs of each user are put aside.
SELECT p.user_id, count(*) AS pairs
FROM (
    {quarantined_pairs}
) AS p
WHERE p.retry_at > %(due_until)s
GROUP BY p.user_id
