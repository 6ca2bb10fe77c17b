-- Results of checks that no longer exist, or were given another name.
DELETE FROM {state}.check_status WHERE name <> ALL (%(names)s::text[])
