-- One day's artworks, shown to a share of the users: day by day, so that the heap is in the order
-- of viewing, as an app leaves it. Whether a pair is among the share is a hash of both ids, the
-- same in every gallery, so that what was left out can be put in later. The time is handed in,
-- because several sessions load at once.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, least(a.created_at + random() * interval '2 hours', %(now)s)
FROM (
    -- OFFSET keeps the hash of an id from being asked once a pair.
    SELECT s.id, s.created_at, hashtextextended(s.id, 0) AS hash
    FROM art_sessions AS s
    WHERE s.created_at > %(now)s - make_interval(days => %(day)s)
      AND s.created_at <= %(now)s - make_interval(days => %(day)s - 1)
      AND s.created_at < %(created_before)s
    OFFSET 0
) AS a
CROSS JOIN (SELECT s.id, hashtextextended(s.id, 1) AS hash FROM users AS s OFFSET 0) AS u
WHERE (hashint8extended(a.hash # u.hash, 0) & 1048575) >= %(luck_from)s
  AND (hashint8extended(a.hash # u.hash, 0) & 1048575) < %(luck_below)s
