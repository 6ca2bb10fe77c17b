-- How many sampled ids begin with a moment of the last decades in hexadecimal digits: seconds in
-- eight of them, or milliseconds in twelve. Of random ones hardly any would.
SELECT
    count(*) AS ids,
    count(*) FILTER (WHERE n.seconds BETWEEN %(earliest)s AND extract(epoch FROM now()) + 86400) AS seconds,
    count(*) FILTER (
        WHERE n.milliseconds / 1000.0 BETWEEN %(earliest)s AND extract(epoch FROM now()) + 86400
    ) AS milliseconds,
    count(DISTINCT n.seconds) AS different
FROM (
    SELECT
        CASE WHEN t.plain ~ '^[0-9a-f]{{12}}' THEN ('x' || substr(t.plain, 1, 8))::bit(32)::bigint END AS seconds,
        CASE WHEN t.plain ~ '^[0-9a-f]{{12}}' THEN ('x' || substr(t.plain, 1, 12))::bit(48)::bigint END AS milliseconds
    FROM (SELECT lower(replace(a.{id}::text, '-', '')) AS plain FROM {rows} AS a) AS t
) AS n
