-- Of each user that is asked for, what keeps it from being backfilled here and now: one row a user,
-- in the order in which they were asked for. Nothing is locked. `apart`: a run of this user is under
-- way or was put down, or pairs of it are in quarantine.
SELECT
    clock_timestamp() AS now,
    ({types_as_read}) AS types_as_read,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_trigger AS t
        WHERE (
            t.tgrelid = %(impressions)s::oid
            OR t.tgrelid IN (
                SELECT p.relid
                FROM pg_catalog.pg_partition_tree(%(impressions)s::oid::pg_catalog.regclass) AS p
            )
        )
          AND NOT t.tgisinternal
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & {fires}) <> 0 -- 4: TRIGGER_TYPE_INSERT
    ) AS triggers,
    EXISTS (
        SELECT 1 FROM {counted_users} AS u WHERE u.id = asked.user_id::{user_cast}
    ) AS known,
    b.run_id AS backfilled_by,
    EXISTS (
        SELECT 1
        FROM {state}.run AS r
        WHERE r.kind = 'user' AND r.repair IS NULL AND r.state IN ('running', 'held')
          AND r.subject = asked.user_id::{user_cast}
    )
    OR EXISTS (
        SELECT 1 FROM {state}.quarantine AS q WHERE q.user_id = asked.user_id::{user_cast}
    ) AS apart
FROM unnest(%(users)s::text[]) WITH ORDINALITY AS asked (user_id, position)
LEFT JOIN {state}.backfilled_user AS b ON b.user_id = asked.user_id::{user_cast}
ORDER BY asked.position
