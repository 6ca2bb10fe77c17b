-- The samples that end within one of the windows: hours of today and of the same day of earlier
-- weeks. The windows don't overlap; DISTINCT all the same, where the clocks moved.
SELECT DISTINCT
    s.started_at AS start, s.ended_at AS "end", s.impressions, s.artworks, s.seeded, s.suspect,
    s.level AS day_factor
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS w (start_at, end_at)
JOIN {state}.recording_sample AS s ON s.ended_at > w.start_at AND s.ended_at <= w.end_at
ORDER BY s.started_at
