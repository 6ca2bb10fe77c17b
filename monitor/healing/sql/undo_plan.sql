-- A new undo under its first lease: all that the run's ledger lists. The run may be forgotten
-- already (`history`), its ledger never is. A second active run breaks a unique index (23505). The
-- count may take a while, so the lease begins after it.
INSERT INTO {state}.run (
    kind, trigger, state, reason, holder, lease_until, started_at,
    legacy_until, created_before, subject, undoes, planned_users, planned_rows
)
SELECT
    'undo', %(trigger)s, 'running', %(reason)s, %(holder)s, clock_timestamp() + %(lease)s, now(),
    coalesce(r.legacy_until, now()), r.created_before, r.subject, %(undoes)s, l.users, l.rows
FROM (
    SELECT count(*) AS users, coalesce(sum(u.rows), 0)::bigint AS rows
    FROM (
        SELECT count(*) AS rows
        FROM {state}.backfilled_impression AS b
        WHERE b.run_id = %(undoes)s
        GROUP BY b.user_id
    ) AS u
) AS l
LEFT JOIN {state}.run AS r ON r.id = %(undoes)s
RETURNING id
