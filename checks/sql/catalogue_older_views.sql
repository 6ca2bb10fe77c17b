-- Of the impressions looked at, how many are of an artwork that is older than its user: an app that
-- shows those says so by them.
WITH cte_user AS {leaf} (
    SELECT {user_id} AS id, {joined} AS joined FROM {users} WHERE {users_filter}
),
cte_artwork AS {leaf} (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a
)
SELECT
    count(*) AS impressions,
    count(*) FILTER (WHERE a.created_at < u.joined) AS older
FROM {impressions} AS i
JOIN cte_user AS u ON u.id = i.{user}
JOIN cte_artwork AS a ON a.id = i.{artwork}
