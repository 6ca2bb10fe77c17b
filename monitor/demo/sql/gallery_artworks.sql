-- Artworks of the sample gallery: evenly over the days, most of them in the evening (UTC), and
-- the newest few within the last ten minutes, so that there is something fresh.
WITH size AS (
    SELECT
        CAST(:seed AS text) AS seed,
        CAST(:users AS int) AS users,
        CAST(:artworks AS int) AS artworks,
        CAST(:fresh AS int) AS fresh,
        CAST(:days AS int) AS days,
        now() AT TIME ZONE 'UTC' AS moment
),

planned AS (
    SELECT
        size.*,
        n,
        -- the sum of three even numbers is bell-shaped: a peak at 19 h, hardly anything at 7 h
        date_trunc('day', moment)
        - interval '1 day' * ((artworks - n) * (days - 1) / artworks)
        + interval '1 hour' * ((8 * (random() + random() + random()) + 7)::numeric % 24) AS planned_at
    FROM size CROSS JOIN generate_series(1, size.artworks) AS n
)

INSERT INTO art_sessions (
    id, session_id, user_id, image_url, prompt, dna_vector, is_library, created_at
)
SELECT
    CAST(md5(concat('artwork', seed, n)) AS uuid),
    md5(concat('session', seed, n / 4)),
    CASE WHEN n % 3 > 0 THEN CAST(md5(concat('user', seed, 1 + n % users)) AS uuid) END,
    concat('/gallery/', n, '.webp'),
    concat_ws(
        ' ',
        (ARRAY['a quiet', 'a luminous', 'a folded', 'an unfinished', 'a drowned'])[1 + n % 5],
        (ARRAY['harbour', 'orchard', 'staircase', 'portrait', 'machine', 'garden'])[1 + n % 6],
        (ARRAY['in ink', 'in oil', 'in gouache', 'in glass'])[1 + n % 4]
    ),
    format('[%s,%s,%s,%s]', random(), random(), random(), random()),
    n % 3 = 0,
    CASE
        WHEN n > artworks - fresh THEN moment - interval '10 minutes' * random()
        WHEN planned_at > moment THEN planned_at - interval '1 day'
        ELSE planned_at
    END
FROM planned
