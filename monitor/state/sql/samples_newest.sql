-- Where the newest sample ends: the next one begins there.
SELECT max(s.ended_at) AS newest
FROM {state}.recording_sample AS s
