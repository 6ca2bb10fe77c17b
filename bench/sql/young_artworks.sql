-- Artworks that were made six days ago, as far as anybody knows, and that some users have not seen:
-- old ones, from which a share of the impressions goes. Nobody saw them before they were made.
WITH chosen AS (
    SELECT a.id
    FROM art_sessions AS a
    WHERE a.created_at < timezone('UTC', now()) - interval '8 days'
    ORDER BY md5(a.id)
    LIMIT %(artworks)s
),
younger AS (
    UPDATE art_sessions AS a
    SET created_at = timezone('UTC', now()) - interval '6 days'
    FROM chosen AS c
    WHERE a.id = c.id
),
later AS (
    UPDATE user_art_impressions AS i
    SET viewed_at = timezone('UTC', now()) - interval '5 days'
    FROM chosen AS c
    WHERE i.artwork_id = c.id AND abs(hashtext(i.user_id)::bigint) %% 1000 >= 1000 * %(missing)s
),
gone AS (
    DELETE FROM user_art_impressions AS i
    USING chosen AS c
    WHERE i.artwork_id = c.id AND abs(hashtext(i.user_id)::bigint) %% 1000 < 1000 * %(missing)s
    RETURNING i.artwork_id
)
SELECT g.artwork_id, count(*) AS pairs FROM gone AS g GROUP BY g.artwork_id
