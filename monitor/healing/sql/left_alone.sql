-- Legacy pairs of the audience whose row is there and does not count, where nothing brings it to
-- count: nobody's work. One pass over such rows; the audience is made once.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {left_to} AS u
)
SELECT {each_pair} u.id AS user_id, a.id AS artwork_id, a.created_at
FROM {uncounted_rows} AS i
JOIN cte_people AS u ON u.id = i.{user}
JOIN {counted_artworks} AS a ON a.id = i.{artwork}
WHERE {is_legacy}
  AND {not_excused}
  AND {is_paired}
  AND {none_counts}
