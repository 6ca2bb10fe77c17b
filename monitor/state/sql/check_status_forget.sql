-- Results of checks that no longer exist, or were given another name: what they are now, not what
-- they once were.
WITH cte_old_validation AS (
    DELETE FROM {state}.validation WHERE suite <> ALL (%(names)s::text[])
)
DELETE FROM {state}.check_status WHERE name <> ALL (%(names)s::text[])
