-- Users with ids that look random and are the same in every gallery.
INSERT INTO users (id, email, created_at)
SELECT
    md5('user ' || n)::uuid::text,
    n || '@example.org',
    timezone('UTC', now()) - make_interval(days => %(days)s)
FROM generate_series(1, %(users)s) AS n
