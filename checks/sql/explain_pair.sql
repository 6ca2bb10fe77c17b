-- Everything that decides the state of one pair, value by value. Always one row.
WITH cte_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE a.id = %(artwork_id)s::{artwork_cast}
),
cte_person AS MATERIALIZED (
    SELECT u.* FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast}
),
cte_artworks AS MATERIALIZED (
    SELECT count(*) AS n FROM {artworks} AS a WHERE a.{artwork_id} = %(artwork_id)s::{artwork_cast}
),
cte_users AS MATERIALIZED (
    SELECT count(*) AS n FROM {users} AS u WHERE u.{user_id} = %(user_id)s::{user_cast}
),
cte_history AS MATERIALIZED (
    SELECT i.{user}
    FROM {impressions} AS i
    WHERE i.{user} = %(user_id)s::{user_cast}
    LIMIT 1
),
cte_viewed AS MATERIALIZED (
    SELECT count(*) AS n, extract(epoch FROM max({viewed_moment}))::float8 AS last
    FROM {impressions} AS i
    WHERE i.{user} = %(user_id)s::{user_cast} AND i.{artwork} = %(artwork_id)s::{artwork_cast}
),
cte_listed AS MATERIALIZED (
    {listing_of_pair}
),
cte_the_artwork AS MATERIALIZED (
    SELECT
        count(*) AS n,
        extract(epoch FROM min(a.created_at))::float8 AS created,
        bool_or(a.created_at > %(fresh_after)s) AS is_fresh,
        bool_or({is_legacy}) AS is_old,
        bool_or(a.created_at <= %(legacy_until)s) AS is_aged
    FROM cte_artwork AS a
),
cte_the_person AS MATERIALIZED (
    SELECT
        count(*) AS n,
        extract(epoch FROM min(u.created_at))::float8 AS created,
        CASE WHEN count(*) > 0 THEN {everybody_counts} OR bool_or(seen.n > 0) END AS in_audience
    FROM cte_person AS u
    CROSS JOIN (SELECT count(*) AS n FROM cte_history) AS seen
),
cte_both_sides AS MATERIALIZED (
    SELECT
        bool_or({is_owned}) AS belongs,
        (array_agg({shared_values}))[1] AS shared_values,
        bool_or(u.created_at > a.created_at) AS artwork_before_user,
        bool_or(listed.since > a.created_at) AS artwork_before_since
    FROM cte_artwork AS a
    CROSS JOIN cte_person AS u
    CROSS JOIN cte_listed AS listed
)
SELECT
    artworks.n AS artwork_rows,
    users.n AS user_rows,
    the_artwork.n AS counted_artworks,
    the_person.n AS counted_users,
    the_artwork.created AS artwork_created,
    the_person.created AS user_created,
    both_sides.belongs,
    both_sides.shared_values,
    listed.n AS listed,
    extract(epoch FROM nullif(listed.since, '-infinity'))::float8 AS listed_since,
    the_person.in_audience,
    viewed.n AS impressions,
    viewed.last AS last_viewed,
    the_artwork.is_fresh,
    the_artwork.is_old,
    the_artwork.is_aged,
    both_sides.artwork_before_user,
    both_sides.artwork_before_since
FROM cte_artworks AS artworks
CROSS JOIN cte_users AS users
CROSS JOIN cte_the_artwork AS the_artwork
CROSS JOIN cte_the_person AS the_person
CROSS JOIN cte_both_sides AS both_sides
CROSS JOIN cte_listed AS listed
CROSS JOIN cte_viewed AS viewed
