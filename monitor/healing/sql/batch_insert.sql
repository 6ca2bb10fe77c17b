-- THE statement that writes user data: the impressions that a window of the work list misses, and
-- their ledger rows, together. The last order keeps two writers from deadlock, and by artwork first
-- it goes through that index and its foreign key page by page.
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
    SELECT %(run_id)s, written.user_id, written.artwork_id, written.viewed_at
    FROM written
    -- In the order of its key, so that the ledger only ever grows at its end.
    ORDER BY written.user_id, written.artwork_id
    -- An impression that this run wrote before and that has vanished since.
    ON CONFLICT (run_id, user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
    RETURNING 1
){cured}
SELECT
    (SELECT count(*) FROM listed) AS inserted,
    (SELECT count(*) FROM missing) AS missing,
    (SELECT m.artwork_id FROM missing AS m ORDER BY m.artwork_id DESC LIMIT 1) AS last_artwork
