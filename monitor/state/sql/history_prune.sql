-- Results and finished runs older than the history is kept; the ledger is not touched.
WITH old_census AS (
    DELETE FROM {state}.census WHERE as_of < now() - %(history)s
),
old_decision AS (
    DELETE FROM {state}.decision WHERE decided_at < now() - %(history)s
)
DELETE FROM {state}.run
WHERE finished_at < now() - %(history)s AND state NOT IN ('running', 'held')
