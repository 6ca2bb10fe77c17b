-- Add to totals; in a batch this is the last statement, so that its row locks are short.
INSERT INTO {state}.counter AS c (name, label, value)
SELECT t.name, t.label, t.value
FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::float8[]) AS t (name, label, value)
ORDER BY t.name, t.label
ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value
