-- Of some keys: how many look as gen_random_uuid() makes them, and not like one of the uuids that
-- are made in the order of time (versions 1, 6 and 7), by which an application may sort.
SELECT
    count(*) AS keys,
    count(*) FILTER (
        WHERE k.key ~ '^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$' AND length(k.key) = 36
    ) AS uuids,
    count(*) FILTER (WHERE substr(k.key, 15, 1) IN ('1', '6', '7')) AS ordered
FROM (
    SELECT {key}::text AS key
    FROM {table}
    LIMIT 1000
) AS k
