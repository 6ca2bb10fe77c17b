-- What types are called, in their order.
SELECT pg_catalog.format_type(o.type, -1)
FROM unnest(%(types)s::oid[]) WITH ORDINALITY AS o (type, place)
ORDER BY o.place
