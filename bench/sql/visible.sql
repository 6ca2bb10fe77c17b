-- A list of all pairs.
CREATE TABLE IF NOT EXISTS visible AS
SELECT u.id AS user_id, a.id AS artwork_id FROM users AS u CROSS JOIN art_sessions AS a;
ALTER TABLE visible ADD PRIMARY KEY (user_id, artwork_id);
VACUUM (ANALYZE) visible;
