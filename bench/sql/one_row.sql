-- One missing impression.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES (%s, %s, timezone('UTC', now()))
ON CONFLICT (user_id, artwork_id) DO NOTHING
