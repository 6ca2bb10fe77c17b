-- What a batch would ask of `find`, to be explained: what does it cost to keep it to some keys?
WITH cte_asked AS MATERIALIZED (
    {asked}
)
{named}
