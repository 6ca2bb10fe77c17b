-- Results, finished runs, their batches and what repairs changed, older than the history is kept. The
-- ledger of heals is not touched, and a run stays as long as one row of it does: who undoes it must
-- know what it was; `gone` are those of which no row is left. One of a repair, whose ledger goes with
-- it, stays until an undo that was begun has come to its end.
WITH cte_old_census AS (
    DELETE FROM {state}.census WHERE as_of < now() - %(history)s
),
cte_old_decision AS (
    DELETE FROM {state}.decision WHERE decided_at < now() - %(history)s
),
cte_old_repair_decision AS (
    DELETE FROM {state}.repair_decision WHERE decided_at < now() - %(history)s
),
cte_old_result AS (
    DELETE FROM {state}.check_result WHERE taken_at < now() - %(history)s
),
-- The newest transition of each check stays: it says since when the outcome has been what it is.
cte_old_transition AS (
    DELETE FROM {state}.check_transition AS t
    WHERE t.changed_at < now() - %(history)s
      AND EXISTS (
          SELECT 1 FROM {state}.check_transition AS n WHERE n.name = t.name AND n.id > t.id
      )
),
-- The usual of an hour is told from eight earlier weeks, however little history is asked for.
cte_old_sample AS (
    DELETE FROM {state}.recording_sample
    WHERE ended_at < now() - greatest(%(history)s, interval '10 weeks')
),
cte_old_batch AS (
    DELETE FROM {state}.batch AS b
    USING {state}.run AS r
    WHERE r.id = b.run_id
      AND r.finished_at < now() - %(history)s
      AND r.state NOT IN ('running', 'held')
),
cte_old_repaired AS (
    DELETE FROM {state}.repaired_row AS l
    USING {state}.run AS r
    WHERE r.id = l.run_id
      AND r.finished_at < now() - %(history)s
      AND r.state NOT IN ('running', 'held')
      AND NOT EXISTS (
          SELECT 1 FROM {state}.run AS u WHERE u.undoes = r.id AND u.state IN ('running', 'held')
      )
)
DELETE FROM {state}.run AS r
WHERE r.id = ANY (%(gone)s::bigint[])
  AND NOT EXISTS (
      SELECT 1 FROM {state}.run AS u WHERE u.undoes = r.id AND u.state IN ('running', 'held')
  )
