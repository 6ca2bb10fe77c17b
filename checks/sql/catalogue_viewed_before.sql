-- What users viewed before a moment of theirs (a column that others leave empty), beside what they
-- would have if they had viewed, from joining till then, as much as users without it did meanwhile.
--
-- Each such user opens a window of time when joining and closes it at the moment. One walk in the
-- order of time then says for each impression of the others how many windows it falls into. Windows
-- shorter than `gap` are left out: many a moment (confirmed, invited) belongs to joining itself.
WITH cte_people AS {leaf} (
    SELECT {user_id} AS id, {joined} AS joined, {marked} AS marked
    FROM {users_there} AS named
),
cte_seen AS MATERIALIZED (
    SELECT p.id, p.joined, p.marked, {viewed} AS viewed
    FROM {impressions} AS i
    JOIN cte_people AS p ON p.id = i.{user}
    WHERE p.joined IS NOT NULL AND {viewed} IS NOT NULL
),
cte_viewers AS MATERIALIZED (
    SELECT
        s.id,
        s.joined,
        s.marked,
        s.marked >= s.joined + %(gap)s::interval AS is_late,
        count(*) FILTER (WHERE s.viewed <= s.marked) AS viewed
    FROM cte_seen AS s
    GROUP BY s.id, s.joined, s.marked
),
cte_steps AS (
    SELECT v.joined AS moment, 1 AS opened, 0 AS views FROM cte_viewers AS v WHERE v.is_late
    UNION ALL
    SELECT v.marked, -1, 0 FROM cte_viewers AS v WHERE v.is_late
    UNION ALL
    SELECT s.viewed, 0, 1 FROM cte_seen AS s WHERE s.marked IS NULL
),
cte_walk AS (
    SELECT s.views, sum(s.opened) OVER (ORDER BY s.moment) AS windows FROM cte_steps AS s
),
cte_meanwhile AS (
    SELECT sum(w.views * w.windows)::double precision AS views FROM cte_walk AS w
)
SELECT
    count(*) FILTER (WHERE v.is_late) AS users,
    count(v.marked) AS users_with,
    count(*) FILTER (WHERE v.marked IS NULL) AS users_without,
    coalesce(sum(v.viewed) FILTER (WHERE v.is_late), 0)::bigint AS viewed,
    coalesce(
        max(m.views) / nullif(count(*) FILTER (WHERE v.marked IS NULL), 0), 0
    )::double precision AS expected
FROM cte_viewers AS v
CROSS JOIN cte_meanwhile AS m
