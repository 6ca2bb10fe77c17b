-- How many legacy pairs are left alone: of the audience, or of one user, in it or not.
SELECT count(*) AS pairs
FROM (
    {left_alone}
) AS l
