-- One step of the sweep: the next rows of the ledger in the order of its key, without those whose
-- impression is gone, as when the app erased a user. One probe a row (OFFSET keeps it from becoming
-- a join), and the rows are deleted where they were found, so that a step costs the same however
-- long the ledger is. Runs under way, and what an undo is taking back, are theirs alone; what
-- `elsewhere` wrote lies in another table. Whether a row is one that counts is not asked: as long as
-- it is there, an undo may find it; and of one that a view's WHERE may hide, nobody knows.
WITH cte_examined AS MATERIALIZED (
    SELECT
        l.ctid AS place, l.run_id, l.user_id, l.artwork_id,
        {shows_every_row} AND NOT EXISTS (
            SELECT 1
            FROM {impressions_table} AS i
            WHERE i.{user} = l.user_id AND i.{artwork} = l.artwork_id
            OFFSET 0
        ) AS gone
    FROM {state}.backfilled_impression AS l
    WHERE (l.run_id, l.user_id, l.artwork_id) > (
        %(run_id)s, %(user_id)s::{impression_user_cast}, %(artwork_id)s::{impression_artwork_cast}
    )
    ORDER BY l.run_id, l.user_id, l.artwork_id
    LIMIT %(limit)s
),
cte_forgotten AS (
    DELETE FROM {state}.backfilled_impression AS l
    WHERE l.ctid = ANY (ARRAY(
        SELECT e.place
        FROM cte_examined AS e
        WHERE e.gone
          AND e.run_id <> ALL (%(elsewhere)s::bigint[])
          AND NOT EXISTS (
              SELECT 1
              FROM {state}.run AS r
              WHERE e.run_id IN (r.id, r.undoes) AND r.state IN ('running', 'held')
          )
    ))
    RETURNING 1
),
cte_last AS (
    SELECT e.run_id, e.user_id, e.artwork_id
    FROM cte_examined AS e
    ORDER BY e.run_id DESC, e.user_id DESC, e.artwork_id DESC
    LIMIT 1
)
SELECT
    (SELECT count(*) FROM cte_examined) AS examined,
    (SELECT count(*) FROM cte_forgotten) AS forgotten,
    (SELECT l.run_id FROM cte_last AS l) AS run_id,
    (SELECT l.user_id FROM cte_last AS l) AS user_id,
    (SELECT l.artwork_id FROM cte_last AS l) AS artwork_id
