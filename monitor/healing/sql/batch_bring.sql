-- The part of batch_insert_any_shape that brings rows to count.
,
-- Of each missing pair the newest row that is there. The limit is what the slice holds: the planner
-- then looks rows up by their places, and does not read a whole table for them.
cte_present AS MATERIALIZED (
    SELECT m.user_id, m.artwork_id, found.*
    FROM cte_missing AS m
    CROSS JOIN LATERAL (
        SELECT {place}, {replaced} AS replaced
        FROM {rows_there} AS i
        WHERE i.{user} = m.user_id AND i.{artwork} = m.artwork_id
        ORDER BY {newest_first}
        LIMIT 1
    ) AS found
    ORDER BY m.artwork_id, m.user_id
    LIMIT %(most)s::bigint
),
-- What somebody else has changed since this snapshot is another row by now, and stays as it is.
cte_brought AS (
    UPDATE {impressions_table} AS i
    SET {changes}
    FROM cte_present AS m{sources_of_set}
    WHERE {same_row}
    RETURNING
        i.{user} AS user_id, i.{artwork} AS artwork_id, {stamp} AS viewed_at,
        m.replaced, {written} AS written
)
