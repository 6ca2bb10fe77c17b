-- The longest step of which every moment of viewing is a multiple; NULL where there is none, or too
-- few impressions to tell. Where moments are fine, the first row that is read says so.
SELECT
    CASE
        WHEN (
            SELECT count(*)
            FROM (
                SELECT 1 FROM {impressions} AS i WHERE isfinite({viewed_moment}) LIMIT 20
            ) AS enough
        ) < 20 THEN NULL
        WHEN EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE isfinite({viewed_moment}) AND {of_minutes}
        ) THEN NULL
        WHEN EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE isfinite({viewed_moment}) AND {of_five_minutes}
        ) THEN 'of_minutes'
        WHEN EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE isfinite({viewed_moment}) AND {of_hours}
        ) THEN 'of_five_minutes'
        WHEN EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE isfinite({viewed_moment}) AND {of_days}
        ) THEN 'of_hours'
        ELSE 'of_days'
    END AS step
