-- batch_insert for Citus: it counts the rows that come back, in subqueries of FROM. The ledger lies
-- beside the impressions, so that both are committed by the same nodes. A pair that could be written
-- after all leaves the quarantine when it is next pruned, at the end of the run.
WITH missing AS MATERIALIZED (
    {missing_pairs}
),
written AS (
    INSERT INTO {impressions} ({columns})
    SELECT {values}
    FROM missing AS m
    ORDER BY m.artwork_id, m.user_id
    ON CONFLICT ({user}, {artwork}) DO NOTHING
    RETURNING {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at
),
listed AS (
    INSERT INTO {state}.backfilled_impression (run_id, user_id, artwork_id, viewed_at)
    SELECT %(run_id)s::bigint, w.user_id, w.artwork_id, w.viewed_at
    FROM written AS w
    ORDER BY w.user_id, w.artwork_id
    -- An impression that this run wrote before and that has vanished since.
    ON CONFLICT (run_id, user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
    RETURNING user_id
)
SELECT done.inserted, found.missing, last.artwork_id AS last_artwork
FROM (SELECT count(*) AS inserted FROM listed) AS done
CROSS JOIN (SELECT count(*) AS missing FROM missing) AS found
LEFT JOIN (
    SELECT m.artwork_id FROM missing AS m ORDER BY m.artwork_id DESC LIMIT 1
) AS last ON TRUE
