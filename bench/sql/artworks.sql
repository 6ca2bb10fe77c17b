-- Artworks evenly over the days before now.
INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)
SELECT
    md5('artwork ' || n)::uuid::text,
    md5('session ' || n / 10),
    'https://example.org/' || n || '.webp',
    'a prompt of some length, number ' || n,
    timezone('UTC', now())
        - make_interval(secs => 86400.0 * %(days)s * (n - 0.5) / %(artworks)s)
FROM generate_series(1, %(artworks)s) AS n
