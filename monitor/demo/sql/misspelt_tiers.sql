-- What a deploy left behind: the tier of some users is written otherwise than the app compares it.
UPDATE users SET subscription_tier = upper(subscription_tier)
WHERE id IN (SELECT u.id FROM users AS u ORDER BY u.id LIMIT :users)
