-- Users and artworks in ten teams each, so that nine impressions of ten cross from one to another:
-- every one of them is read and joined all the same.
ALTER TABLE users ADD COLUMN IF NOT EXISTS team int;
ALTER TABLE art_sessions ADD COLUMN IF NOT EXISTS team int;
UPDATE users SET team = abs(hashtext(id)) % 10;
UPDATE art_sessions SET team = abs(hashtext(id)) % 10;
VACUUM (ANALYZE) users, art_sessions;
