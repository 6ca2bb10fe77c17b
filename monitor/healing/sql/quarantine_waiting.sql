-- The pairs that are put aside. What is due was due when the run began, so that no pass of a run
-- tries a pair twice.
SELECT q.user_id, q.artwork_id
FROM {state}.quarantine AS q
WHERE q.retry_at > %(due_until)s
