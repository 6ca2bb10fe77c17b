-- Legacy pairs one by one, with what a plan has to know of each: whether it had appeared behind the
-- last verified heal, of a user that was enrolled by then; whether it is put aside, or its row is
-- there and does not count. The pairs are found first, by themselves, and what is asked of each
-- afterwards is a probe; of more than a plan lists there is one more.
WITH cte_missing AS MATERIALIZED (
    {missing}
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
FROM (SELECT c.* FROM cte_missing AS c LIMIT %(most)s) AS m
LEFT JOIN {state}.quarantine AS q ON q.user_id = m.user_id AND q.artwork_id = m.artwork_id
ORDER BY m.user_id
