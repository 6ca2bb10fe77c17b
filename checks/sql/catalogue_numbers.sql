-- In which unit since 1970 the numbers of a column would be moments of 1990 to 2100, how many are
-- in each, and the newest. The units' windows don't overlap, but for a date's digits (20260131)
-- among the minutes: those have a month and a day.
SELECT held.form, count(*) AS held, max(held.number) AS newest
FROM (
    SELECT
        n.number,
        CASE
            WHEN n.number = 0 THEN 'zero'
            WHEN n.number BETWEEN 7305 AND 47481 THEN 'days'
            WHEN n.number BETWEEN 175320 AND 1139567 THEN 'hours'
            WHEN n.number BETWEEN 19900101 AND 20991231
                AND mod(n.number::bigint / 100, 100) BETWEEN 1 AND 12
                AND mod(n.number::bigint, 100) BETWEEN 1 AND 31
                THEN 'digits'
            WHEN n.number BETWEEN 10519200 AND 68374079 THEN 'minutes'
            WHEN n.number BETWEEN 631152000 AND 4102444799 THEN 'seconds'
            WHEN n.number BETWEEN 631152000000 AND 4102444799999 THEN 'milliseconds'
            WHEN n.number BETWEEN 631152000000000 AND 4102444799999999 THEN 'microseconds'
            WHEN n.number BETWEEN 631152000000000000 AND 4102444799999999999 THEN 'nanoseconds'
            ELSE 'other'
        END AS form
    FROM (
        SELECT ({number})::double precision AS number
        FROM {table}
        WHERE ({filter}
        )
    ) AS n
    WHERE n.number IS NOT NULL
) AS held
GROUP BY held.form
