-- undo_batch for Citus, which deletes from shards by a row-wise IN over results that it has at hand.
-- `users` are those of the slice (`undo_users`), named wherever rows are read: every other shard is
-- left alone, and in its own each row is found by its whole key. `present` is asked before `taken`
-- deletes; were it asked afterwards, what was taken would be in `gone` as well, and be removed from
-- the ledger once all the same.
WITH cte_listed AS MATERIALIZED (
    SELECT b.user_id, b.artwork_id, b.viewed_at
    FROM {state}.backfilled_impression AS b
    WHERE b.run_id = %(undoes)s
      AND b.user_id = ANY (%(users)s::text[]::{impression_user_cast}[])
      AND {behind_cursor}
    ORDER BY b.user_id, b.artwork_id
    LIMIT %(limit)s
),
cte_present AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_listed AS l ON l.user_id = i.{user} AND l.artwork_id = i.{artwork}
    WHERE i.{user} = ANY (%(users)s::text[]::{impression_user_cast}[])
),
cte_gone AS MATERIALIZED (
    SELECT l.user_id, l.artwork_id
    FROM cte_listed AS l
    LEFT JOIN cte_present AS p ON p.user_id = l.user_id AND p.artwork_id = l.artwork_id
    WHERE p.user_id IS NULL
),
cte_taken AS (
    DELETE FROM {impressions} AS i
    WHERE i.{user} = ANY (%(users)s::text[]::{impression_user_cast}[])
      AND (i.{user}, i.{artwork}, i.{viewed_at}) IN (
          SELECT l.user_id, l.artwork_id, l.viewed_at FROM cte_listed AS l
      )
    RETURNING i.{user} AS user_id, i.{artwork} AS artwork_id
),
cte_settled AS MATERIALIZED (
    SELECT t.user_id, t.artwork_id FROM cte_taken AS t
    UNION ALL
    SELECT g.user_id, g.artwork_id FROM cte_gone AS g
),
cte_cleared AS (
    DELETE FROM {state}.backfilled_impression AS b
    WHERE b.user_id = ANY (%(users)s::text[]::{impression_user_cast}[])
      AND (b.run_id, b.user_id, b.artwork_id) IN (
          SELECT %(undoes)s::bigint, s.user_id, s.artwork_id FROM cte_settled AS s
      )
    RETURNING b.user_id
)
SELECT
    t.taken, c.cleared, w.looked_at, w.users,
    last.user_id AS last_user, last.artwork_id AS last_artwork
FROM (SELECT count(*) AS taken FROM cte_taken) AS t
CROSS JOIN (SELECT count(*) AS cleared FROM cte_cleared) AS c
CROSS JOIN (
    SELECT count(*) AS looked_at, count(DISTINCT l.user_id) AS users FROM cte_listed AS l
) AS w
CROSS JOIN (
    SELECT l.user_id, l.artwork_id
    FROM cte_listed AS l
    ORDER BY l.user_id DESC, l.artwork_id DESC
    LIMIT 1
) AS last
