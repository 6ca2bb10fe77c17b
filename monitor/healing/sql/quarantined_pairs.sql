-- Quarantined pairs that are still legacy_untracked, in the audience or not. Each is looked up by
-- itself (a LIMIT keeps the planner from joining whole tables): there are few, and mostly none.
SELECT q.user_id, q.artwork_id, q.retry_at, pair.created_at, pair.in_audience
FROM {state}.quarantine AS q
CROSS JOIN LATERAL (
    SELECT a.created_at, {in_audience} AS in_audience
    FROM {counted_users} AS u
    CROSS JOIN {counted_artworks} AS a
    WHERE u.id = q.user_id
      AND a.id = q.artwork_id
      AND {is_legacy}
      AND {not_excused}
      AND {is_paired}
      AND NOT EXISTS (
          SELECT 1 FROM {rows_in_the_way} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
      )
    LIMIT 1
) AS pair
