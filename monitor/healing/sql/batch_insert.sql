-- THE statement that writes user data: the impressions that a window of the work list misses, and
-- their ledger rows, together. The last order keeps two writers from deadlock, and by artwork first
-- it goes through that index and its foreign key page by page. On Citus the ledger lies beside the
-- impressions, so that both are committed by the same nodes.
WITH cte_missing AS MATERIALIZED (
    {missing_pairs}
),
cte_written AS (
    INSERT INTO {impressions} ({columns})
    SELECT {values}
    FROM cte_missing AS m{sources}
    ORDER BY m.artwork_id, m.user_id
    ON CONFLICT ({user}, {artwork}) DO NOTHING
    RETURNING {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at
),
cte_listed AS (
    INSERT INTO {state}.backfilled_impression (run_id, user_id, artwork_id, viewed_at)
    SELECT %(run_id)s::bigint, w.user_id, w.artwork_id, w.viewed_at
    FROM cte_written AS w
    -- In the order of its key, so that the ledger only ever grows at its end.
    ORDER BY w.user_id, w.artwork_id
    -- An impression that this run wrote before and that has vanished since.
    ON CONFLICT (run_id, user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
    RETURNING user_id
){cured}
-- Statements of the same trip are told how many it has inserted by a setting of the transaction.
SELECT
    done.inserted, found.*, last.artwork_id AS last_artwork,
    set_config('conservator.inserted', done.inserted::text, TRUE) AS kept
FROM (SELECT count(*) AS inserted FROM cte_listed) AS done
CROSS JOIN (SELECT count(*) AS missing{asked_for} FROM cte_missing AS m) AS found
LEFT JOIN (
    SELECT m.artwork_id FROM cte_missing AS m ORDER BY m.artwork_id DESC LIMIT 1
) AS last ON TRUE
