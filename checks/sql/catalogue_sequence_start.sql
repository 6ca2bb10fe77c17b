-- Where a sequence stands that nothing was drawn from yet, or not since it was restarted.
SELECT s.last_value AS next FROM {sequence} AS s
