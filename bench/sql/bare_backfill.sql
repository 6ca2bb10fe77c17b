-- One bare statement, as people write it, without ledger, cursor or lease.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, timezone('UTC', now())
FROM users AS u
CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.id IS NULL
  AND a.created_at <= %(legacy_until)s
  AND u.id >= %(first_user)s AND u.id <= %(last_user)s
ON CONFLICT (user_id, artwork_id) DO NOTHING
