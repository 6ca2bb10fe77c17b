-- How the decisions about a repair changed, the newest first.
SELECT d.decided_at, d.kind, d.code, d.reason
FROM {state}.repair_decision AS d
WHERE d.repair = %(repair)s
ORDER BY d.id DESC
LIMIT %(limit)s
