-- undo_batch where a time of viewing alone does not tell a row: the next rows of a run's ledger, and
-- of each pair the row that is still as the run wrote it, in all of its columns; of several alike
-- one. A new row goes, one that was there gets back what was replaced. One that the app has touched
-- since stays, and stays listed, also where it is changed at this moment: it is another row then.
-- Nothing is asked about where and counts: what was written by another configuration goes as well.
WITH cte_listed AS MATERIALIZED (
    SELECT b.ctid AS entry, b.user_id, b.artwork_id, b.viewed_at, b.replaced, b.written
    FROM {state}.backfilled_impression AS b
    WHERE b.run_id = %(undoes)s AND {behind_cursor}
    ORDER BY b.user_id, b.artwork_id
    LIMIT %(limit)s
),
cte_present AS MATERIALIZED (
    SELECT b.entry, b.user_id, b.artwork_id, b.replaced, {as_written} AS untouched, {place_of_row}
    FROM (SELECT * FROM cte_listed ORDER BY artwork_id, user_id) AS b
    JOIN {impressions_table} AS i ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id
),
cte_untouched AS MATERIALIZED (
    SELECT p.*
    FROM (
        SELECT
            p.*,
            row_number() OVER (PARTITION BY p.entry) AS number,
            count(*) OVER (PARTITION BY p.entry) AS alike
        FROM cte_present AS p
        WHERE p.untouched
    ) AS p
    WHERE {the_one}
),
cte_deleted AS (
    DELETE FROM {impressions_table} AS i
    USING cte_untouched AS m
    WHERE m.replaced IS NULL AND {same_row}
    RETURNING m.entry
){given_back},
cte_taken AS (
    SELECT * FROM cte_deleted{and_given_back}
),
cte_gone AS (
    SELECT l.entry FROM cte_listed AS l WHERE {shows_every_row}
    EXCEPT
    SELECT p.entry FROM cte_present AS p
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
