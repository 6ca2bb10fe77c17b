-- ledger_sweep for Citus: ledger and impressions are joined shard by shard, and rows are deleted by
-- their key. `users` are those of the slice (`ledger_sweep_users`). What the runs `elsewhere` wrote
-- lies in another table.
WITH cte_busy AS MATERIALIZED (
    SELECT r.id, r.undoes FROM {state}.run AS r WHERE r.state IN ('running', 'held')
),
cte_place AS MATERIALIZED (
    SELECT l.run_id, l.user_id, l.artwork_id
    FROM {state}.backfilled_impression AS l
    WHERE l.user_id = ANY (%(users)s::text[]::{impression_user_cast}[])
      AND (l.run_id, l.user_id, l.artwork_id) > (
          %(run_id)s, %(user_id)s::{impression_user_cast}, %(artwork_id)s::{impression_artwork_cast}
      )
    ORDER BY l.run_id, l.user_id, l.artwork_id
    LIMIT %(limit)s
),
cte_present AS MATERIALIZED (
    SELECT p.run_id, p.user_id, p.artwork_id
    FROM {impressions_table} AS i
    JOIN cte_place AS p ON p.user_id = i.{user} AND p.artwork_id = i.{artwork}
    WHERE i.{user} = ANY (%(users)s::text[]::{impression_user_cast}[])
),
cte_gone AS MATERIALIZED (
    SELECT p.run_id, p.user_id, p.artwork_id
    FROM cte_place AS p
    LEFT JOIN cte_present AS i
        ON i.run_id = p.run_id AND i.user_id = p.user_id AND i.artwork_id = p.artwork_id
    LEFT JOIN cte_busy AS b ON p.run_id IN (b.id, b.undoes)
    WHERE i.run_id IS NULL AND b.id IS NULL AND p.run_id <> ALL (%(elsewhere)s::bigint[])
),
cte_forgotten AS (
    DELETE FROM {state}.backfilled_impression AS l
    WHERE l.user_id = ANY (%(users)s::text[]::{impression_user_cast}[])
      AND (l.run_id, l.user_id, l.artwork_id) IN (
          SELECT g.run_id, g.user_id, g.artwork_id FROM cte_gone AS g
      )
    RETURNING l.user_id
)
SELECT e.examined, f.forgotten, last.run_id, last.user_id, last.artwork_id
FROM (SELECT count(*) AS examined FROM cte_place) AS e
CROSS JOIN (SELECT count(*) AS forgotten FROM cte_forgotten) AS f
LEFT JOIN (
    SELECT p.run_id, p.user_id, p.artwork_id
    FROM cte_place AS p
    ORDER BY p.run_id DESC, p.user_id DESC, p.artwork_id DESC
    LIMIT 1
) AS last ON TRUE
