-- What has become of the rows that a repair's ledger lists: as they were left, touched since, or gone;
-- of a deleted one: still not there, or its key is taken. With the first keys of those that stay.
SELECT
    count(*) AS listed,
    0 AS users,
    count(*) FILTER (WHERE f.is_left) AS untouched,
    count(*) FILTER (WHERE f.is_there AND NOT f.is_left) AS touched,
    count(*) FILTER (WHERE NOT f.is_there AND NOT f.is_left) AS gone,
    coalesce(
        (array_agg(f.key::text ORDER BY f.position) FILTER (WHERE f.is_there OR f.is_left))[1:20],
        ARRAY[]::text[]
    ) AS keys
FROM (
    SELECT n.position, n.key, t.ctid IS NOT NULL AS is_there, coalesce({is_left}, FALSE) AS is_left
    FROM (
        SELECT k.position, k.key, k.before, k.after, {asked_key}
        FROM {state}.repaired_row AS k
        WHERE k.run_id = %(undoes)s
    ) AS n
    LEFT JOIN {target} AS t ON {row_is_named}
) AS f
