-- What any count of listed pairs without an impression does at least: one plain hash anti-join.
SELECT count(*)
FROM visible AS v
WHERE NOT EXISTS (
    SELECT 1
    FROM user_art_impressions AS i
    WHERE i.user_id = v.user_id AND i.artwork_id = v.artwork_id
)
