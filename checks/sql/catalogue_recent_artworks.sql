-- Artworks created in the last days, on the database's clock.
SELECT count(*)
FROM {table} AS {name}
WHERE ({filter}
) AND {created_at} >= {now} - make_interval(days => %(days)s)
