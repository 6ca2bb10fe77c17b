-- batch_insert where rows have a scope, a status, several a pair or no time: rows that are there and
-- do not count are brought to count by what `set` says, one a pair, and new ones are made only where
-- there is none. The ledger keeps each row as it was written and what was replaced. Users and
-- artworks are the pairs that were written, and those that a row was made for; `listed` tells them
-- apart. No results of its own are joined: of their sizes the planner knows nothing.
WITH cte_missing AS MATERIALIZED (
    {missing_pairs}
){brought},
cte_added AS (
    INSERT INTO {impressions_table} AS i ({columns})
    SELECT {values}
    FROM {nothing_there} AS m{sources}
    ORDER BY m.artwork_id, m.user_id
    {unless_there}
    RETURNING
        i.{user} AS user_id, i.{artwork} AS artwork_id, {stamp} AS viewed_at,
        NULL::jsonb AS replaced, {written} AS written
),
cte_written AS (
    SELECT * FROM cte_added{and_brought}
),
-- What an earlier run wrote and the app has changed since, and is now as it was: this run's, which
-- knows what the app had. Otherwise an undo of the earlier one would take it for its own. Each pair
-- is looked up by itself (OFFSET keeps it from becoming a join).
cte_taken_over AS (
    DELETE FROM {state}.backfilled_impression AS b
    WHERE b.ctid = ANY (ARRAY(
        SELECT earlier.entry
        FROM cte_written AS w
        CROSS JOIN LATERAL (
            SELECT e.ctid AS entry
            FROM {state}.backfilled_impression AS e
            WHERE e.user_id = w.user_id
              AND e.artwork_id = w.artwork_id
              AND e.written IS NOT NULL
              AND e.run_id <> %(run_id)s::bigint
              AND e.written = w.written
            OFFSET 0
        ) AS earlier
    ))
),
cte_listed AS (
    INSERT INTO {state}.backfilled_impression (
        run_id, user_id, artwork_id, viewed_at, replaced, written
    )
    SELECT %(run_id)s::bigint, w.user_id, w.artwork_id, {moment}, w.replaced, w.written
    FROM cte_written AS w
    ORDER BY w.user_id, w.artwork_id
    -- A pair that this run wrote before, and that has been lost or taken back by the app since.
    ON CONFLICT (run_id, user_id, artwork_id) DO UPDATE
    SET viewed_at = excluded.viewed_at, replaced = excluded.replaced, written = excluded.written
    RETURNING user_id, artwork_id
){cured}
SELECT done.inserted, asked.missing, found.*, last.artwork_id AS last_artwork
FROM (SELECT count(*) AS inserted FROM cte_listed) AS done
CROSS JOIN (SELECT count(*) AS missing FROM cte_missing AS m) AS asked
CROSS JOIN (
    SELECT
        array_agg(p.user_id::text) AS users,
        array_agg(p.artwork_id::text) AS artworks,
        array_agg(p.is_listed) AS listed
    FROM (
        SELECT a.user_id, a.artwork_id, bool_or(a.is_listed) AS is_listed
        FROM (
            SELECT m.user_id, m.artwork_id, FALSE AS is_listed FROM {nothing_there} AS m
            UNION ALL
            SELECT l.user_id, l.artwork_id, TRUE FROM cte_listed AS l
        ) AS a
        GROUP BY a.user_id, a.artwork_id
    ) AS p
) AS found
LEFT JOIN (
    SELECT m.artwork_id FROM cte_missing AS m ORDER BY m.artwork_id DESC LIMIT 1
) AS last ON TRUE
