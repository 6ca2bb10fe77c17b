-- How many users are counted and healed.
SELECT count(*) AS users FROM {audience} AS u
