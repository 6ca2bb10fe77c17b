-- What has become of the pairs that a batch asked for, once all its triggers have fired: how many have
-- no impression; how many have another `viewed_at` than the ledger says; how many this transaction
-- wrote without the ledger, because a trigger wrote them in its place. What somebody else wrote and
-- committed meanwhile is none of these. One probe of an index a pair, each: a LIMIT keeps the planner
-- from reading a whole table instead.
SELECT
    count(*) FILTER (WHERE i.is_there IS NULL) AS vanished,
    count(*) FILTER (WHERE l.is_listed AND l.viewed_at IS DISTINCT FROM i.viewed_at) AS changed,
    count(*) FILTER (
        WHERE i.is_there
          AND l.is_listed IS NULL
          -- Savepoints have numbers of their own, above the transaction's.
          AND CASE
                  WHEN age(i.written_by) <= 0
                  THEN pg_xact_status(
                      (pg_current_xact_id()::text::bigint - age(i.written_by))::text::xid8
                  ) = 'in progress'
              END
    ) AS unlisted
FROM unnest(%(users)s::text[], %(artworks)s::text[]) AS p (user_id, artwork_id)
LEFT JOIN LATERAL (
    SELECT TRUE AS is_there, i.{viewed_at} AS viewed_at, {written_by} AS written_by
    FROM {impressions} AS i
    WHERE i.{user} = p.user_id::{user_cast} AND i.{artwork} = p.artwork_id::{artwork_cast}
    LIMIT 1
) AS i ON TRUE
LEFT JOIN LATERAL (
    SELECT TRUE AS is_listed, l.viewed_at
    FROM {state}.backfilled_impression AS l
    WHERE l.run_id = %(run_id)s::bigint
      AND l.user_id = p.user_id::{user_cast}
      AND l.artwork_id = p.artwork_id::{artwork_cast}
    LIMIT 1
) AS l ON i.is_there
