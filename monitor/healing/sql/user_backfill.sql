-- Backfills of several users, each whole or not at all: what each misses, a run that has ended, the
-- once-flag, the impressions and their ledger rows. Of the users in the order in which they were
-- asked for, those are written whose pairs fit; the others are told how many they miss. Whoever
-- backfills the same user meanwhile is waited for at the flag, and nothing is written for a user
-- whose flag is there already, unless it is forced. One row a user that misses anything.
WITH cte_missing AS MATERIALIZED (
    {missing_pairs}
),
cte_found AS MATERIALIZED (
    SELECT w.position, w.user_id, count(*) AS pairs
    FROM cte_missing AS m
    JOIN {work} AS w ON w.user_id = m.user_id
    GROUP BY w.position, w.user_id
),
cte_fitting AS MATERIALIZED (
    SELECT f.position, f.user_id, f.pairs
    FROM (
        SELECT f.*, sum(f.pairs) OVER (ORDER BY f.position) AS so_far
        FROM cte_found AS f
        WHERE f.pairs <= %(most)s
    ) AS f
    WHERE f.so_far <= %(most)s
),
cte_run AS (
    INSERT INTO {state}.run (
        kind, trigger, state, reason, outcome, holder, lease_until, started_at, finished_at,
        legacy_until, created_before, subject, planned_users, planned_rows, position, batches,
        inserted, writing_seconds, legacy_before, legacy_after, remaining, catalogue,
        impressions_oid, users_oid
    )
    SELECT
        'user', %(trigger)s, 'succeeded', %(reason)s, %(outcome)s, %(holder)s, %(now)s, %(now)s,
        %(now)s, %(legacy_until)s, %(created_before)s, f.user_id, 1, f.pairs, 1, 1,
        f.pairs, 0, f.pairs, 0, 0, %(catalogue)s::jsonb,
        %(impressions_oid)s::oid, %(users_oid)s::oid
    FROM cte_fitting AS f
    ORDER BY f.position
    RETURNING id, subject, inserted
),
cte_flag AS (
    INSERT INTO {state}.backfilled_user AS b (user_id, run_id, inserted, backfilled_at)
    SELECT r.subject, r.id, r.inserted, %(now)s
    FROM cte_run AS r
    ORDER BY r.subject
    ON CONFLICT (user_id) DO UPDATE
    SET run_id = excluded.run_id, inserted = b.inserted + excluded.inserted,
        backfilled_at = excluded.backfilled_at
    WHERE b.user_id = ANY (%(forced)s::text[]::{user_cast}[])
    RETURNING user_id, run_id
),
cte_written AS (
    INSERT INTO {impressions} ({columns})
    SELECT {values}
    FROM (
        SELECT p.user_id, p.artwork_id
        FROM cte_missing AS p
        JOIN cte_flag AS b ON b.user_id = p.user_id
    ) AS m{sources}
    ORDER BY m.artwork_id, m.user_id
    ON CONFLICT ({user}, {artwork}) DO NOTHING
    RETURNING {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at
),
cte_listed AS (
    INSERT INTO {state}.backfilled_impression (run_id, user_id, artwork_id, viewed_at)
    SELECT b.run_id, w.user_id, w.artwork_id, w.viewed_at
    FROM cte_written AS w
    JOIN cte_flag AS b ON b.user_id = w.user_id
    ORDER BY b.run_id, w.user_id, w.artwork_id
    RETURNING run_id
)
SELECT
    f.position, f.pairs, fits.position IS NOT NULL AS fits, b.run_id,
    coalesce(listed.inserted, 0) AS inserted
FROM cte_found AS f
LEFT JOIN cte_fitting AS fits ON fits.position = f.position
LEFT JOIN cte_flag AS b ON b.user_id = fits.user_id
LEFT JOIN (
    SELECT l.run_id, count(*) AS inserted FROM cte_listed AS l GROUP BY l.run_id
) AS listed ON listed.run_id = b.run_id
ORDER BY f.position
