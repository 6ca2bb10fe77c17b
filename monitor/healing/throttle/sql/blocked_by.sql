-- How many sessions wait for the server process `backend`. Who waits for a lock is for everyone to
-- see in pg_locks; only for these few is asked by whom they are blocked, which stops the lock
-- manager for a moment.
SELECT count(*)
FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks AS l WHERE NOT l.granted) AS waiting
WHERE waiting.pid <> %(backend)s AND %(backend)s = ANY (pg_blocking_pids(waiting.pid))
