-- The review's sketch, second half: as many VALUES as there are ids.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES {rows}
ON CONFLICT (user_id, artwork_id) DO NOTHING
