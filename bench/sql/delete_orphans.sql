-- The bare statement: all orphans at once, with their rows to whoever asks.
COPY (
    DELETE FROM user_art_impressions AS i
    WHERE NOT EXISTS (SELECT FROM users AS u WHERE u.id = i.user_id)
    RETURNING i.*
) TO STDOUT (FORMAT BINARY)
