-- Every TimeZone that a session of this database may start with, and whether its clock shows the
-- same as that of catalog.timezone. Names don't tell (UTC, Etc/UTC, GMT), so the clocks are
-- compared in each month of a year, which sees daylight saving.
WITH cte_zones AS (
    SELECT 'this session' AS source, s.reset_val AS zone
    FROM pg_catalog.pg_settings AS s
    WHERE s.name = 'TimeZone'
    UNION ALL
    SELECT
        CASE
            WHEN d.setrole <> 0 THEN 'role ' || pg_catalog.pg_get_userbyid(d.setrole)
            ELSE 'database ' || current_database()
        END,
        split_part(setting, '=', 2)
    FROM pg_catalog.pg_db_role_setting AS d
    CROSS JOIN LATERAL unnest(d.setconfig) AS setting
    WHERE lower(split_part(setting, '=', 1)) = 'timezone'
      AND (d.setdatabase = 0 OR d.setdatabase = (
          SELECT db.oid FROM pg_catalog.pg_database AS db WHERE db.datname = current_database()
      ))
)
SELECT
    zones.source,
    zones.zone,
    bool_and(
        (now() + make_interval(months => month)) AT TIME ZONE zones.zone
        = (now() + make_interval(months => month)) AT TIME ZONE %(timezone)s::text
    ) AS agrees
FROM cte_zones AS zones
CROSS JOIN generate_series(0, 11) AS month
GROUP BY zones.source, zones.zone
ORDER BY zones.source, zones.zone
