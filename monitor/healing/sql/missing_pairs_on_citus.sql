-- The same pairs in a form for Citus: each table is read by itself, the impressions and users of
-- this window alone (their ids are bound, so that only their shards are asked), and what is joined
-- are the results.
WITH cte_planned AS MATERIALIZED (
    SELECT w.user_id, w.planned
    FROM {work} AS w
    WHERE w.run_id = %(run_id)s AND w.position > %(position)s AND w.position <= %(until)s
),
cte_people AS MATERIALIZED (
    SELECT u.*
    FROM {counted_users} AS u
    WHERE u.id = ANY (%(users)s::text[]::{user_cast}[])
),
cte_counted AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy} AND {after_cursor}
),
cte_pair AS MATERIALIZED (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs} AND {listed_to_users}
    {each_once}
),
cte_seen AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    WHERE i.{user} = ANY (%(users)s::text[]::{impression_user_cast}[])
),
cte_named AS MATERIALIZED (
    SELECT DISTINCT s.user_id FROM cte_seen AS s
),
cte_aside AS MATERIALIZED (
    {quarantine_waiting}
),
cte_unseen AS MATERIALIZED (
    SELECT
        p.user_id,
        p.artwork_id,
        w.planned,
        row_number() OVER (PARTITION BY p.user_id ORDER BY p.artwork_id) AS rank
    FROM cte_planned AS w
    JOIN cte_pair AS p ON p.user_id = w.user_id
    LEFT JOIN cte_named AS named ON named.user_id = p.user_id
    LEFT JOIN cte_seen AS s ON s.user_id = p.user_id AND s.artwork_id = p.artwork_id
    LEFT JOIN cte_aside AS q ON q.user_id = p.user_id AND q.artwork_id = p.artwork_id
    WHERE s.user_id IS NULL
      AND q.user_id IS NULL
      AND NOT p.excused
      AND ({everybody_counts} OR named.user_id IS NOT NULL)
)
SELECT w.user_id, w.artwork_id FROM cte_unseen AS w WHERE w.rank <= {user_limit}
