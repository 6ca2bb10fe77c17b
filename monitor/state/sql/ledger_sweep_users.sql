-- The users of the sweep's next rows of the ledger, asked for before these are examined on Citus: by
-- their ids, bound, only their shards are asked.
SELECT DISTINCT l.user_id::text AS user_id
FROM (
    SELECT b.user_id
    FROM {state}.backfilled_impression AS b
    WHERE (b.run_id, b.user_id, b.artwork_id) > (
        %(run_id)s, %(user_id)s::{impression_user_cast}, %(artwork_id)s::{impression_artwork_cast}
    )
    ORDER BY b.run_id, b.user_id, b.artwork_id
    LIMIT %(limit)s
) AS l
