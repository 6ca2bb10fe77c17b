-- A visitor has a new artwork generated; every other user has not seen it yet, and nor have they.
INSERT INTO art_sessions (session_id, user_id, image_url, prompt)
VALUES (gen_random_uuid(), :user_id, '/gallery/new.webp', 'a quiet harbour in gouache')
