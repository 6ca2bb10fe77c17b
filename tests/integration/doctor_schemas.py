"""The tables as apps have them, in every shape that the doctor has something to say about."""

from __future__ import annotations

USERS = """
CREATE TABLE users (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    email varchar UNIQUE,
    subscription_tier varchar,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp
);
"""

ARTWORKS = """
CREATE TABLE art_sessions (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id varchar,
    user_id varchar,
    image_url text,
    is_library boolean DEFAULT false,
    created_at timestamp NOT NULL DEFAULT now()
);
"""

# Impressions without any index on the pair; every test adds what it is about.
BARE_IMPRESSIONS = """
CREATE TABLE user_art_impressions (
    id varchar PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id varchar NOT NULL REFERENCES users ON DELETE CASCADE,
    artwork_id varchar NOT NULL REFERENCES art_sessions ON DELETE CASCADE,
    viewed_at timestamp NOT NULL DEFAULT now(),
    bridge_at timestamp,
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX user_art_impressions_artwork_idx ON user_art_impressions (artwork_id);
"""

PAIR_INDEX = """
CREATE UNIQUE INDEX user_art_impressions_unique_user_artwork
    ON user_art_impressions (user_id, artwork_id);
"""

TABLES = USERS + ARTWORKS + BARE_IMPRESSIONS
APP = TABLES + PAIR_INDEX
ANALYSED = "ANALYZE users; ANALYZE art_sessions; ANALYZE user_art_impressions;"

CAMEL_CASE = """
CREATE TABLE "User" (id uuid PRIMARY KEY, "createdAt" timestamptz(3) NOT NULL);
CREATE TABLE "Art Sessions" (id uuid PRIMARY KEY, "createdAt" timestamptz(3) NOT NULL);
CREATE TABLE "UserArtImpression" (
    "userId" uuid NOT NULL REFERENCES "User" ON DELETE CASCADE,
    "artworkId" uuid NOT NULL REFERENCES "Art Sessions" ON DELETE CASCADE,
    "viewedAt" timestamptz(3) NOT NULL,
    PRIMARY KEY ("userId", "artworkId")
);
CREATE INDEX ON "UserArtImpression" ("artworkId");
ANALYZE "User"; ANALYZE "Art Sessions"; ANALYZE "UserArtImpression";
"""

BIGINT = """
CREATE SCHEMA "my.gallery";
CREATE TABLE "my.gallery"."my users" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE "my.gallery".pieces (
    id bigint PRIMARY KEY, made date NOT NULL, "100% mine" bigint NOT NULL
);
CREATE TABLE "my.gallery".seen (
    id bigserial PRIMARY KEY, u bigint NOT NULL, p bigint NOT NULL, at timestamptz NOT NULL,
    UNIQUE (p, u)
);
"""

HASH_PARTITIONED = (
    USERS
    + ARTWORKS
    + """
CREATE TABLE user_art_impressions (
    user_id varchar NOT NULL REFERENCES users ON DELETE CASCADE,
    artwork_id varchar NOT NULL REFERENCES art_sessions ON DELETE CASCADE,
    viewed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, artwork_id)
) PARTITION BY HASH (user_id);
CREATE TABLE user_art_impressions_0 PARTITION OF user_art_impressions
    FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE user_art_impressions_1 PARTITION OF user_art_impressions
    FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""
)

TIME_PARTITIONED = (
    USERS
    + ARTWORKS
    + """
CREATE TABLE user_art_impressions (
    user_id varchar NOT NULL, artwork_id varchar NOT NULL, viewed_at timestamptz NOT NULL,
    UNIQUE (user_id, artwork_id, viewed_at)
) PARTITION BY RANGE (viewed_at);
CREATE TABLE user_art_impressions_all PARTITION OF user_art_impressions DEFAULT;
"""
)

DUPLICATES = """
INSERT INTO users (id) VALUES ('u');
INSERT INTO art_sessions (id) VALUES ('a');
INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u', 'a'), ('u', 'a');
"""
