-- What a run over the audience would write: affected users in id order with their legacy pairs,
-- without those in quarantine, as many as it may write. The last one may be taken in part. A full
-- join, as in plan_recurring, which no strict condition may turn into another one.
SELECT
    %(run_id)s::bigint AS run_id,
    row_number() OVER (ORDER BY listed.user_id) AS position,
    listed.user_id,
    listed.legacy AS found,
    least(listed.legacy, %(max_rows)s - listed.before) AS planned
FROM (
    SELECT
        writable.user_id,
        writable.legacy,
        coalesce(sum(writable.legacy) OVER (
            ORDER BY writable.user_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
    FROM (
        SELECT affected.user_id, affected.legacy - coalesce(aside.pairs, 0) AS legacy
        FROM ({affected_users}) AS affected
        FULL JOIN ({unwritable_by_user}) AS aside ON aside.user_id = affected.user_id
        WHERE coalesce(affected.legacy, 0) > coalesce(aside.pairs, 0)
    ) AS writable
) AS listed
WHERE listed.before < %(max_rows)s
