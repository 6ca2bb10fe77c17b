-- undo_left for Citus, which joins the ledger with the impressions that lie beside it.
WITH cte_untouched AS {leaf} (
    SELECT b.user_id
    FROM {state}.backfilled_impression AS b
    JOIN {impressions} AS i
        ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id AND (i.{viewed_at} = b.viewed_at) IS TRUE
    WHERE b.run_id = %(undoes)s
    LIMIT 1
),
cte_any_row AS {leaf} (
    SELECT b.user_id FROM {state}.backfilled_impression AS b WHERE b.run_id = %(undoes)s LIMIT 1
)
SELECT one.n > 0 AS something, other.n > 0 AS listed
FROM (SELECT count(*) AS n FROM cte_untouched) AS one
CROSS JOIN (SELECT count(*) AS n FROM cte_any_row) AS other
