-- The work list: affected users in id order with their legacy pairs, as many as the run may write.
-- The last one may be taken in part.
INSERT INTO {state}.work (run_id, position, user_id, found, planned)
SELECT
    %(run_id)s,
    row_number() OVER (ORDER BY listed.user_id),
    listed.user_id,
    listed.legacy,
    least(listed.legacy, %(max_rows)s - listed.before)
FROM (
    SELECT
        affected.user_id,
        affected.legacy,
        coalesce(sum(affected.legacy) OVER (
            ORDER BY affected.user_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
    FROM ({affected_users}) AS affected
) AS listed
WHERE listed.before < %(max_rows)s
