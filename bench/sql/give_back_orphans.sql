-- The bare way back: all of them at once.
INSERT INTO user_art_impressions SELECT * FROM kept_orphans
