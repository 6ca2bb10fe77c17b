-- The same pairs in a form for Citus: each table is read by itself, the impressions and users of
-- this window alone (their ids are bound, so that only their shards are asked), and what is joined
-- are the results.
WITH planned AS MATERIALIZED (
    SELECT w.user_id, w.planned
    FROM {work} AS w
    WHERE w.run_id = %(run_id)s AND w.position > %(position)s AND w.position <= %(until)s
),
people AS MATERIALIZED (
    SELECT u.id, u.created_at
    FROM {counted_users} AS u
    WHERE u.id = ANY (%(users)s::text[]::{user_cast}[])
),
legacy_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy} AND {after_cursor}
),
seen AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    WHERE i.{user} = ANY (%(users)s::text[]::{impression_user_cast}[])
),
named AS MATERIALIZED (
    SELECT DISTINCT s.user_id FROM seen AS s
),
aside AS MATERIALIZED (
    {quarantine_waiting}
),
unseen AS MATERIALIZED (
    SELECT
        u.id AS user_id,
        a.id AS artwork_id,
        w.planned,
        row_number() OVER (PARTITION BY u.id ORDER BY a.id) AS rank
    FROM planned AS w
    JOIN people AS u ON u.id = w.user_id
    LEFT JOIN named ON named.user_id = u.id
    CROSS JOIN legacy_artwork AS a
    LEFT JOIN seen AS s ON s.user_id = u.id AND s.artwork_id = a.id
    LEFT JOIN aside AS q ON q.user_id = u.id AND q.artwork_id = a.id
    WHERE s.user_id IS NULL
      AND q.user_id IS NULL
      AND {not_before_user}
      AND {is_owned}
      AND ({everybody_counts} OR named.user_id IS NOT NULL)
)
SELECT w.user_id, w.artwork_id FROM unseen AS w WHERE w.rank <= {user_limit}
