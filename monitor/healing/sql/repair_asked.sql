-- A part of the question what a batch would cost: some keys, in the types of their columns.
SELECT k.position, k.key::jsonb AS key, k.version, k.change::jsonb AS change, {asked_key}
FROM unnest(
    %(positions)s::bigint[], %(keys)s::text[], %(versions)s::text[], %(changes)s::text[]
) AS k (position, key, version, change)
