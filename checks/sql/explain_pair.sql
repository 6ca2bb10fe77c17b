-- Everything that decides the state of one pair, value by value. Always one row.
SELECT
    (SELECT count(*) FROM {artworks} AS a WHERE a.{artwork_id} = %(artwork_id)s::{artwork_cast})
        AS artwork_rows,
    (SELECT count(*) FROM {users} AS u WHERE u.{user_id} = %(user_id)s::{user_cast}) AS user_rows,
    (SELECT count(*) FROM {counted_artworks} AS a WHERE a.id = %(artwork_id)s::{artwork_cast})
        AS counted_artworks,
    (SELECT count(*) FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast})
        AS counted_users,
    (SELECT extract(epoch FROM a.created_at)::float8 FROM {counted_artworks} AS a
     WHERE a.id = %(artwork_id)s::{artwork_cast} LIMIT 1) AS artwork_created,
    (SELECT extract(epoch FROM u.created_at)::float8 FROM {counted_users} AS u
     WHERE u.id = %(user_id)s::{user_cast} LIMIT 1) AS user_created,
    (SELECT {is_owned} FROM {counted_artworks} AS a, {counted_users} AS u
     WHERE a.id = %(artwork_id)s::{artwork_cast} AND u.id = %(user_id)s::{user_cast} LIMIT 1)
        AS belongs,
    (SELECT {in_audience} FROM {counted_users} AS u
     WHERE u.id = %(user_id)s::{user_cast} LIMIT 1) AS in_audience,
    (SELECT count(*) FROM {impressions} AS i
     WHERE i.{user} = %(user_id)s::{user_cast} AND i.{artwork} = %(artwork_id)s::{artwork_cast})
        AS impressions,
    (SELECT extract(epoch FROM max({viewed_moment}))::float8 FROM {impressions} AS i
     WHERE i.{user} = %(user_id)s::{user_cast} AND i.{artwork} = %(artwork_id)s::{artwork_cast})
        AS last_viewed,
    (SELECT a.created_at > %(fresh_after)s FROM {counted_artworks} AS a
     WHERE a.id = %(artwork_id)s::{artwork_cast} LIMIT 1) AS is_fresh,
    (SELECT {is_legacy} FROM {counted_artworks} AS a
     WHERE a.id = %(artwork_id)s::{artwork_cast} LIMIT 1) AS is_old,
    (SELECT a.created_at <= %(legacy_until)s FROM {counted_artworks} AS a
     WHERE a.id = %(artwork_id)s::{artwork_cast} LIMIT 1) AS is_aged,
    (SELECT u.created_at > a.created_at FROM {counted_artworks} AS a, {counted_users} AS u
     WHERE a.id = %(artwork_id)s::{artwork_cast} AND u.id = %(user_id)s::{user_cast} LIMIT 1)
        AS artwork_before_user
