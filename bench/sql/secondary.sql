-- Everything on the impressions that can be made after loading: how to drop it, how to make it
-- again. Constraints first, because they own indexes.
SELECT
    format('ALTER TABLE user_art_impressions DROP CONSTRAINT %I', c.conname) AS dropped_by,
    format(
        'ALTER TABLE user_art_impressions ADD CONSTRAINT %I %s',
        c.conname,
        pg_get_constraintdef(c.oid)
    ) AS made_by
FROM pg_constraint AS c
WHERE c.conrelid = 'user_art_impressions'::regclass AND c.contype IN ('p', 'u', 'f')
UNION ALL
SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
FROM pg_index AS i
WHERE i.indrelid = 'user_art_impressions'::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
