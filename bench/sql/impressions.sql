-- One day's artworks, shown to everybody but a share of the users: day by day, so that the heap is
-- in the order of viewing, as an app leaves it. Artworks created before the healed moment miss
-- nobody. OFFSET keeps the filter from being asked once an artwork instead of once a pair.
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT p.user_id, p.artwork_id, p.viewed_at
FROM (
    SELECT
        u.id AS user_id,
        a.id AS artwork_id,
        a.created_at,
        least(a.created_at + random() * interval '2 hours', timezone('UTC', now())) AS viewed_at,
        random() AS luck
    FROM art_sessions AS a
    CROSS JOIN users AS u
    WHERE a.created_at > timezone('UTC', now()) - make_interval(days => %(day)s)
      AND a.created_at <= timezone('UTC', now()) - make_interval(days => %(day)s - 1)
    OFFSET 0
) AS p
WHERE p.luck >= %(missing)s
   OR p.created_at < timezone('UTC', now()) - make_interval(secs => %(healed_after)s)
