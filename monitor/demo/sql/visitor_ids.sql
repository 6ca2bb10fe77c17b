-- The users who come: the tracked ones. The others stay as the incident left them, because their
-- first impression would make every old artwork legacy_untracked for them at once.
SELECT id
FROM users
WHERE EXISTS (SELECT FROM user_art_impressions AS seen WHERE seen.user_id = users.id)
ORDER BY id
