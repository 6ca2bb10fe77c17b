-- Takes impressions back: the next rows of a run's ledger, and of these the impressions that are
-- still as the run wrote them. One that the app has touched since (another viewed_at) stays, and
-- stays listed; of one that is gone, only the ledger row is left to remove. The writer switches
-- hash and merge joins off: for some thousand rows out of millions it is a few index probes each,
-- whatever the planner believes. By artwork first, as every writer of ours locks. IS TRUE keeps it from
-- an index on user and moment, where each row of a user would meet all that one batch wrote for him.
WITH cte_listed AS MATERIALIZED (
    SELECT b.ctid AS entry, b.user_id, b.artwork_id, b.viewed_at
    FROM {state}.backfilled_impression AS b
    WHERE b.run_id = %(undoes)s AND {behind_cursor}
    ORDER BY b.user_id, b.artwork_id
    LIMIT %(limit)s
),
cte_taken AS (
    DELETE FROM {impressions} AS i
    USING (SELECT * FROM cte_listed ORDER BY artwork_id, user_id) AS l
    WHERE i.{user} = l.user_id AND i.{artwork} = l.artwork_id AND (i.{viewed_at} = l.viewed_at) IS TRUE
    RETURNING l.entry
),
cte_gone AS (
    SELECT l.entry
    FROM cte_listed AS l
    WHERE NOT EXISTS (
        SELECT 1 FROM {impressions} AS i WHERE i.{user} = l.user_id AND i.{artwork} = l.artwork_id
    )
),
cte_cleared AS (
    DELETE FROM {state}.backfilled_impression AS b
    -- Where they were found: of the sizes of its own results the planner knows nothing.
    WHERE b.ctid = ANY (ARRAY(SELECT t.entry FROM cte_taken AS t UNION ALL SELECT g.entry FROM cte_gone AS g))
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM cte_taken) AS taken,
    (SELECT count(*) FROM cte_cleared) AS cleared,
    (SELECT count(*) FROM cte_listed) AS looked_at,
    (SELECT count(DISTINCT l.user_id) FROM cte_listed AS l) AS users,
    last.user_id AS last_user,
    last.artwork_id AS last_artwork
FROM (SELECT * FROM cte_listed ORDER BY user_id DESC, artwork_id DESC LIMIT 1) AS last
