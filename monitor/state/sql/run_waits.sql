-- Where a run's time went beside writing, the longest wait first.
SELECT reason, seconds FROM {state}.run_wait WHERE run_id = %(run_id)s ORDER BY seconds DESC, reason
