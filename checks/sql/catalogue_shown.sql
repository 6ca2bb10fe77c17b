-- Whether a view would show a row with these values. A filter that can't be read so is refused.
SELECT ({filter}
) IS TRUE AS shown
FROM (SELECT {columns}) AS {name}
LIMIT %(one)s
