-- The last report of a suite.
INSERT INTO {state}.validation AS v (suite, validated_at, document)
VALUES (%(suite)s, now(), %(document)s::jsonb)
ON CONFLICT (suite) DO UPDATE
SET validated_at = excluded.validated_at, document = excluded.document
