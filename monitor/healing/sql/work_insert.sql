-- The work list: affected users in id order with their legacy pairs, without those in quarantine, as
-- many as the run may write. The last one may be taken in part.
INSERT INTO {state}.work (run_id, position, user_id, found, planned)
SELECT
    %(run_id)s,
    row_number() OVER (ORDER BY listed.user_id),
    listed.user_id,
    listed.legacy,
    least(listed.legacy, %(max_rows)s - listed.before)
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
        LEFT JOIN ({quarantined_by_user}) AS aside ON aside.user_id = affected.user_id
        WHERE affected.legacy > coalesce(aside.pairs, 0)
    ) AS writable
) AS listed
WHERE listed.before < %(max_rows)s
