-- All that a run's ledger lists.
SELECT count(*) AS users, coalesce(sum(u.rows), 0)::bigint AS rows
FROM (
    SELECT b.user_id, count(*) AS rows
    FROM {state}.backfilled_impression AS b
    WHERE b.run_id = %(undoes)s
    GROUP BY b.user_id
) AS u
