-- How many users a plan is about.
SELECT count(*) AS users FROM {audience} AS u
