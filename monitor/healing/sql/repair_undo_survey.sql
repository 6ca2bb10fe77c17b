-- What has become of the rows that a repair's ledger lists: as they were left, touched since, or gone;
-- of a deleted one: still not there, or its key is taken. With the first keys of those that stay.
SELECT
    count(*) AS listed,
    0 AS users,
    count(*) FILTER (WHERE f.is_left) AS untouched,
    count(*) FILTER (WHERE f.is_there AND NOT f.is_left) AS touched,
    count(*) FILTER (WHERE NOT f.is_there AND NOT f.is_left) AS gone,
    ARRAY(
        -- A database without an encoding keeps any bytes: those that are no UTF-8 are left out of what
        -- is shown, or no undo could even be planned.
        SELECT CASE
            WHEN getdatabaseencoding() <> 'SQL_ASCII' THEN shown.key
            ELSE regexp_replace(
                shown.key,
                '([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]'
                || '|[\xe1-\xec\xee\xef][\x80-\xbf]{{2}}|\xed[\x80-\x9f][\x80-\xbf]'
                || '|\xf0[\x90-\xbf][\x80-\xbf]{{2}}|[\xf1-\xf3][\x80-\xbf]{{3}}'
                || '|\xf4[\x80-\x8f][\x80-\xbf]{{2}})|[\x80-\xff]', '\1', 'g'
            )
        END
        FROM unnest(
            (array_agg(f.key::text ORDER BY f.position) FILTER (WHERE f.is_there OR f.is_left))[1:20]
        ) WITH ORDINALITY AS shown (key, place)
        ORDER BY shown.place
    ) AS keys
FROM (
    SELECT n.position, n.key, t.ctid IS NOT NULL AS is_there, coalesce({is_left}, FALSE) AS is_left
    FROM (
        SELECT k.position, k.key, k.before, k.after, {asked_key}
        FROM {state}.repaired_row AS k
        WHERE k.run_id = %(undoes)s
    ) AS n
    LEFT JOIN {target} AS t ON {row_is_named}
) AS f
