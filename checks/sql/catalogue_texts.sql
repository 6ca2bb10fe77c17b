-- In which form the texts of a column would be moments, how many are in each, and the newest day.
SELECT
    held.form,
    count(*) AS held,
    max(CASE WHEN held.form <> 'other' THEN substr(held.text, 1, 10) END COLLATE "C") AS newest
FROM (
    SELECT
        t.text,
        CASE
            WHEN t.text ~ '^\d\d\d\d-[01]\d-[0-3]\d$' THEN 'date'
            WHEN t.text ~ '^\d\d\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d(:[0-5]\d(\.\d+)?)?$'
                THEN 'local'
            WHEN t.text ~ '^\d\d\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d(:[0-5]\d(\.\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)$'
                THEN 'zoned'
            WHEN t.text ~ '^\d+(\.\d+)?$' THEN 'number'
            ELSE 'other'
        END AS form
    FROM (
        SELECT {column}::text AS text
        FROM {table}
        WHERE ({filter}
        )
    ) AS t
    WHERE t.text IS NOT NULL
) AS held
GROUP BY held.form
