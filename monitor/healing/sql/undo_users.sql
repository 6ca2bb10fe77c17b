-- The users of the next rows of a run's ledger, asked for before these are taken back on Citus: by
-- their ids, bound, only their shards are asked, each by its unique index.
SELECT DISTINCT l.user_id::text AS user_id
FROM (
    SELECT b.user_id
    FROM {state}.backfilled_impression AS b
    WHERE b.run_id = %(undoes)s AND {behind_cursor}
    ORDER BY b.user_id, b.artwork_id
    LIMIT %(limit)s
) AS l
