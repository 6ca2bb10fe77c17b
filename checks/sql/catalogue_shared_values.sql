-- How the audience and the artworks fall on the values of a column that both have: the values that
-- most of them have, and in each row the totals. NULL is no value, but its pairs are pairs.
WITH cte_audience AS {leaf} (
    SELECT u.id FROM {audience} AS u
),
cte_valued AS {leaf} (
    SELECT {user_id} AS id, {users_column} AS value FROM {users_there} AS named
),
cte_of_users AS MATERIALIZED (
    SELECT v.value, count(*) AS users
    FROM cte_audience AS u
    JOIN cte_valued AS v ON v.id = u.id
    GROUP BY v.value
),
cte_of_artworks AS MATERIALIZED (
    SELECT a.value, count(*) AS artworks, count(*) FILTER (WHERE {is_legacy}) AS aged
    FROM (
        SELECT {artworks_column} AS value, {artwork_created_moment} AS created_at
        FROM {artworks_there} AS named
        WHERE {artwork_created} IS NOT NULL
    ) AS a
    GROUP BY a.value
),
cte_every AS (
    SELECT
        coalesce(u.value::text, a.value::text) AS value,
        coalesce(u.users, 0) AS users,
        coalesce(a.artworks, 0) AS artworks,
        coalesce(a.aged, 0) AS aged
    FROM cte_of_users AS u
    FULL JOIN cte_of_artworks AS a ON a.value = u.value
),
cte_totals AS (
    SELECT
        sum(e.users) * sum(e.artworks) AS pairs,
        count(e.value) AS "values",
        sum(e.users) FILTER (WHERE e.value IS NOT NULL)
            * sum(e.artworks) FILTER (WHERE e.value IS NOT NULL)
            - sum(e.users * e.artworks) FILTER (WHERE e.value IS NOT NULL) AS across,
        sum(e.users) FILTER (WHERE e.value IS NOT NULL)
            * sum(e.aged) FILTER (WHERE e.value IS NOT NULL)
            - sum(e.users * e.aged) FILTER (WHERE e.value IS NOT NULL) AS aged
    FROM cte_every AS e
)
SELECT
    e.users,
    e.artworks,
    t."values",
    t.pairs::bigint AS pairs,
    t.across::bigint AS across,
    t.aged::bigint AS aged
FROM cte_every AS e
CROSS JOIN cte_totals AS t
WHERE e.value IS NOT NULL
ORDER BY e.users * e.artworks DESC, e.users DESC, e.artworks DESC
LIMIT %(largest)s
