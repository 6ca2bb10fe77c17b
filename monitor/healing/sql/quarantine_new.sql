-- What a run has put aside that never was before: where many users and many artworks are among it,
-- it is the table that refuses.
SELECT
    count(*) AS pairs, count(DISTINCT q.user_id) AS users, count(DISTINCT q.artwork_id) AS artworks
FROM {state}.quarantine AS q
WHERE q.run_id = %(run_id)s AND q.attempts = 1
