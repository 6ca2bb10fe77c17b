-- What has become of the pairs that a batch asked for. Without triggers one thing may be wrong: a row
-- of ours does not count, because of what the configuration makes of it. With them, once all have
-- fired: how many pairs have no row; how many another one than the ledger says; how many have one
-- that this transaction wrote without the ledger. A probe each: LIMITs keep them from being joins.
SELECT
    count(*) FILTER (WHERE p.is_listed AND counted.is_there IS NULL) AS uncounted,
    count(*) FILTER (WHERE NOT p.is_listed AND i.found = 0) AS vanished,
    count(*) FILTER (WHERE p.is_listed AND NOT i.as_written) AS changed,
    count(*) FILTER (WHERE i.ours > CASE WHEN p.is_listed THEN 1 ELSE 0 END) AS unlisted
FROM unnest(%(users)s::text[], %(artworks)s::text[], %(listed)s::boolean[])
    AS p (user_id, artwork_id, is_listed)
LEFT JOIN LATERAL (
    SELECT l.written
    FROM {state}.backfilled_impression AS l
    WHERE l.run_id = %(run_id)s::bigint
      AND l.user_id = p.user_id::{user_cast}
      AND l.artwork_id = p.artwork_id::{artwork_cast}
    LIMIT 1
) AS l ON p.is_listed
LEFT JOIN LATERAL (
    SELECT TRUE AS is_there
    FROM {impressions} AS i
    WHERE i.{user} = p.user_id::{user_cast} AND i.{artwork} = p.artwork_id::{artwork_cast}
    LIMIT 1
) AS counted ON p.is_listed
CROSS JOIN LATERAL (
    SELECT
        count(*) AS found,
        coalesce(bool_or(i.{row_content} = l.written), FALSE) AS as_written,
        count(*) FILTER (WHERE {ours}) AS ours
    FROM {rows_there} AS i
    WHERE i.{user} = p.user_id::{user_cast} AND i.{artwork} = p.artwork_id::{artwork_cast}
) AS i
