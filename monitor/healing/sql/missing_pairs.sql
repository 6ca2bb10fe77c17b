-- The pairs that a window of the work list misses. Audience, filters and ages are judged anew, so
-- that only pairs that are legacy_untracked at this moment are written, and no more of a user than
-- was planned, whatever was imported or lost since: the first ones by id, whoever asks. The rank also
-- keeps the planner from flattening the lateral subquery into a join over all impressions (a LIMIT
-- would, too, but makes it expect few rows and probe for each); the legacy artworks are read once, not
-- once a user. Where the plan has listed the pairs, only these are looked up.
WITH cte_legacy_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
)
SELECT u.id AS user_id, m.id AS artwork_id
FROM {work} AS w
JOIN {counted_users} AS u ON u.id = w.user_id
CROSS JOIN LATERAL (
    SELECT a.id, row_number() OVER (ORDER BY a.id) AS rank
    FROM cte_legacy_artwork AS a
    WHERE {is_listed}
      AND {not_excused}
      AND {is_paired}
      AND {after_cursor}
      AND {not_quarantined}
      AND NOT EXISTS (
          SELECT 1 FROM {rows_in_the_way} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
      )
    {part}
) AS m
WHERE w.run_id = %(run_id)s
  AND w.position > %(position)s
  AND w.position <= %(until)s
  AND {in_audience}
  AND m.rank <= {user_limit}
