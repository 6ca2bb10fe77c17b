-- The last report of every suite.
SELECT
    v.suite, v.validated_at, v.document
FROM {state}.validation AS v
ORDER BY v.suite
