-- Those of some pairs that are legacy, one by one, with what a plan has to know of each: whether it
-- had appeared behind the last verified heal, of a user that was enrolled by then; whether it is put
-- aside, or its row is there and does not count. Only these users are looked at; OFFSET keeps the
-- planner from reading all users, and from joining the pairs of all with all impressions. What is
-- asked of each pair afterwards is a probe.
WITH cte_affected AS MATERIALIZED (
    SELECT u.id AS user_id, l.artworks
    FROM {audience} AS u
    JOIN (
        SELECT p.user_id, array_agg(p.artwork_id) AS artworks
        FROM unnest(
            %(users)s::text[]::{user_cast}[], %(artworks)s::text[]::{artwork_cast}[]
        ) AS p (user_id, artwork_id)
        GROUP BY p.user_id
    ) AS l ON l.user_id = u.id
),
cte_few AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
cte_missing AS MATERIALIZED (
    SELECT u.id AS user_id, m.id AS artwork_id, m.created_at
    FROM cte_affected AS f
    CROSS JOIN LATERAL (
        SELECT u.* FROM {counted_users} AS u WHERE u.id = f.user_id OFFSET 0
    ) AS u
    CROSS JOIN LATERAL (
        SELECT a.id, a.created_at
        FROM cte_few AS a
        WHERE a.id = ANY (f.artworks)
          AND {not_excused}
          AND {is_paired}
          AND NOT EXISTS (
              SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
          )
        OFFSET 0
    ) AS m
)
SELECT
    m.user_id::text AS user_id,
    m.artwork_id::text AS artwork_id,
    extract(epoch FROM m.created_at)::float8 AS created,
    coalesce(m.created_at <= %(verified_until)s::timestamptz, FALSE) AS appeared,
    coalesce((
        SELECT t.impressions
        FROM {state}.tally_user AS t
        WHERE t.user_id = m.user_id AND t.taken_at <= %(verified_at)s::timestamptz
        ORDER BY t.taken_at DESC
        LIMIT 1
    ) > 0, FALSE) AS enrolled,
    q.user_id IS NOT NULL AS put_aside,
    coalesce(q.retry_at > %(due_until)s, FALSE) AS waits,
    {is_left_alone} AS left_alone
FROM cte_missing AS m
LEFT JOIN {state}.quarantine AS q ON q.user_id = m.user_id AND q.artwork_id = m.artwork_id
ORDER BY m.user_id
