-- From when on losses are judged: the look-back, but nothing before the first tally that followed
-- the breaker's last reset. That one itself is only compared with itself.
SELECT
    CASE
        WHEN c.tally_base_at IS NULL OR c.tally_base_at < c.breaker_reset_at THEN now()
        ELSE greatest(c.tally_base_at, now() - %(window)s)
    END AS since,
    now() AS taken_at, c.verified_until, c.verified_at
FROM {state}.control AS c
