-- Artworks that turn seven days old while somebody watches, one every so often: ageing is normal,
-- and every one of them becomes a legacy pair of each visitor who has not seen it.
INSERT INTO art_sessions (session_id, image_url, prompt, dna_vector, created_at)
SELECT
    'ageing-' || g,
    'https://gallery.example/ageing/' || g || '.png',
    'an hourglass, study ' || g,
    '[]',
    (now() AT TIME ZONE 'UTC') - interval '7 days'
        + (:first_seconds + (g - 1) * :every_seconds) * interval '1 second'
FROM generate_series(1, :artworks) AS g
