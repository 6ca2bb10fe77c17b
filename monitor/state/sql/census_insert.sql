-- One row a census, for the history.
INSERT INTO {state}.census (
    as_of, form, tracked, fresh, storage, legacy_untracked, appeared, legacy_artworks,
    oldest_legacy_created, audience, users, seconds,
    users_affected, users_clear, users_seconds
) VALUES (
    %(as_of)s, %(form)s, %(tracked)s, %(fresh)s, %(storage)s, %(legacy_untracked)s, %(appeared)s,
    %(legacy_artworks)s, %(oldest_legacy_created)s, %(audience)s, %(users)s, %(duration_seconds)s,
    %(users_affected)s, %(users_clear)s, %(users_seconds)s
)
