-- Users of the sample gallery. One in five joined while the gallery existed already.
WITH size AS (
    SELECT CAST(:seed AS text) AS seed, CAST(:users AS int) AS users, CAST(:days AS float) AS days
)
INSERT INTO users (id, email, subscription_tier, created_at)
SELECT
    CAST(md5(concat('user', seed, n)) AS uuid),
    concat('visitor-', n, '@example.org'),
    CASE WHEN n % 7 = 0 THEN 'premium' ELSE 'free' END,
    now() AT TIME ZONE 'UTC' - interval '1 day' * CASE
        WHEN random() < 0.2 THEN 1 + random() * (days - 1)
        ELSE days + random() * 300
    END
FROM size CROSS JOIN generate_series(1, size.users) AS n
