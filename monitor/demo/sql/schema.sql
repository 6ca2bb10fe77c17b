-- The app's tables as the incident found them: text ids, timestamps without time zone.
CREATE TABLE users (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    email varchar UNIQUE,
    subscription_tier varchar NOT NULL DEFAULT 'free',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now()
);

-- Shared by all users; user_id is who had it generated.
CREATE TABLE art_sessions (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id varchar NOT NULL,
    user_id varchar,
    image_url text NOT NULL,
    prompt text,
    dna_vector text,
    pool_status varchar NOT NULL DEFAULT 'active',
    is_library boolean NOT NULL DEFAULT false,
    created_at timestamp NOT NULL DEFAULT now(),
    version int NOT NULL DEFAULT 1
);

CREATE INDEX art_sessions_created_at_idx ON art_sessions (created_at);

-- "Seen" is a row here. The app upserts: a repeated view sets viewed_at = now().
CREATE TABLE user_art_impressions (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id varchar NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    artwork_id varchar NOT NULL REFERENCES art_sessions (id) ON DELETE CASCADE,
    viewed_at timestamp NOT NULL DEFAULT now(),
    bridge_at timestamp,
    version int NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX user_art_impressions_unique_user_artwork
    ON user_art_impressions (user_id, artwork_id);
CREATE INDEX user_art_impressions_user_id_idx ON user_art_impressions (user_id);
CREATE INDEX user_art_impressions_artwork_id_idx ON user_art_impressions (artwork_id);
CREATE INDEX user_art_impressions_viewed_at_idx ON user_art_impressions (viewed_at);
CREATE INDEX user_art_impressions_user_id_viewed_at_idx
    ON user_art_impressions (user_id, viewed_at);
CREATE INDEX user_art_impressions_bridge_at_idx ON user_art_impressions (bridge_at);
