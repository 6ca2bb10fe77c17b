-- A result, and a transition where the outcome is another than the newest transition says. The age
-- in seconds is how long ago the result was found.
WITH cte_moment AS (
    SELECT now() - make_interval(secs => %(age)s) AS taken_at
),
cte_newest AS (
    SELECT t.after
    FROM {state}.check_transition AS t
    WHERE t.name = %(name)s
    ORDER BY t.id DESC
    LIMIT 1
),
cte_kept AS (
    INSERT INTO {state}.check_result (name, taken_at, outcome, value, seconds)
    SELECT %(name)s, moment.taken_at, %(outcome)s, %(value)s, %(duration_seconds)s
    FROM cte_moment AS moment
    ON CONFLICT (name, taken_at) DO NOTHING
)
INSERT INTO {state}.check_transition (name, changed_at, before, after, value, message)
SELECT
    %(name)s, moment.taken_at, (SELECT newest.after FROM cte_newest AS newest), %(outcome)s, %(value)s,
    %(message)s
FROM cte_moment AS moment
WHERE (SELECT newest.after FROM cte_newest AS newest) IS DISTINCT FROM %(outcome)s
