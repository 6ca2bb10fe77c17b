-- What has become of a batch's rows once all triggers have fired: `after` is what is there now. `undone`
-- are listed rows that are there although they were deleted, or are not although they were written;
-- `unlisted` are rows that this transaction wrote and the ledger does not have.
WITH cte_asked AS MATERIALIZED (
    {due}
),
cte_found AS MATERIALIZED (
    SELECT
        w.position,
        coalesce(l.is_listed, FALSE) AS is_listed,
        t.ctid IS NOT NULL AS is_there,
        coalesce({ours}, FALSE) AS ours,
        {row} AS content
    FROM cte_asked AS w
    -- A LIMIT keeps it a probe each, whatever is known of our table.
    LEFT JOIN LATERAL (
        SELECT TRUE AS is_listed
        FROM {state}.repaired_row AS r
        WHERE r.run_id = %(run_id)s::bigint AND r.position = w.position
        LIMIT 1
    ) AS l ON TRUE
    LEFT JOIN {target} AS t ON {row_is_asked}
),
cte_kept AS (
    UPDATE {state}.repaired_row AS l
    SET after = f.content
    FROM cte_found AS f
    WHERE l.run_id = %(run_id)s::bigint AND l.position = f.position
      AND f.is_there AND l.after IS NOT NULL AND l.after <> f.content
)
SELECT
    count(*) FILTER (WHERE f.is_listed AND f.is_there <> {stays}) AS undone,
    count(*) FILTER (WHERE NOT f.is_listed AND f.ours) AS unlisted
FROM cte_found AS f
