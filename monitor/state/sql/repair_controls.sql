-- What people have switched, by repair.
SELECT repair, suspended, suspended_reason, suspended_at FROM {state}.repair_control ORDER BY repair
