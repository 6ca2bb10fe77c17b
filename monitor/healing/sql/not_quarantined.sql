-- The pair of user `u` and artwork `a` is not put aside. What is due was due when the run began, so
-- that no pass of a run tries a pair twice.
NOT EXISTS (
    SELECT 1
    FROM {state}.quarantine AS q
    WHERE q.user_id = u.id AND q.artwork_id = a.id AND q.retry_at > %(due_until)s
)
