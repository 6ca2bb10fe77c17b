-- The app's own upsert: a repeated view moves viewed_at.
INSERT INTO user_art_impressions (user_id, artwork_id)
VALUES (%(user_id)s, %(artwork_id)s)
ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = now()
