-- How many legacy pairs of one user are put aside.
SELECT count(*) AS pairs
FROM (
    {quarantined_pairs}
) AS p
WHERE p.user_id = %(user_id)s::{user_cast} AND p.retry_at > %(due_until)s
