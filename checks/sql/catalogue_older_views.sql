-- Of the impressions looked at, how many are of an artwork that is older than its user: an app that
-- shows those says so by them.
SELECT
    count(*) AS impressions,
    count(*) FILTER (WHERE a.created_at < u.joined) AS older
FROM {impressions} AS i
JOIN (
    SELECT {user_id} AS id, {joined} AS joined FROM {users} WHERE {users_filter}
) AS u ON u.id = i.{user}
JOIN {counted_artworks} AS a ON a.id = i.{artwork}
