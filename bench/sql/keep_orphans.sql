-- A copy of what will be deleted, as a careful person makes it first.
CREATE TABLE kept_orphans AS
SELECT i.*
FROM user_art_impressions AS i
LEFT JOIN users AS u ON u.id = i.user_id
WHERE u.id IS NULL
