-- What has become of the rows that a run's ledger lists: one of the pair is still as the run wrote
-- it, there are others only, or none.
SELECT
    count(*) AS listed,
    count(DISTINCT p.user_id) AS users,
    count(*) FILTER (WHERE p.untouched) AS untouched,
    count(*) FILTER (WHERE p.is_there AND NOT p.untouched) AS touched,
    count(*) FILTER (WHERE NOT p.is_there) AS gone
FROM (
    SELECT
        b.user_id,
        b.artwork_id,
        coalesce(bool_or({as_written}), FALSE) AS untouched,
        count(i.{user}) > 0 AS is_there
    FROM {state}.backfilled_impression AS b
    LEFT JOIN {impressions_table} AS i ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id
    WHERE b.run_id = %(undoes)s
    GROUP BY b.user_id, b.artwork_id
) AS p
