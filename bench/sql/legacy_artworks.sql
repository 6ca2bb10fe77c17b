-- In the order of their ids.
SELECT a.id FROM art_sessions AS a WHERE a.created_at <= %(legacy_until)s ORDER BY a.id
