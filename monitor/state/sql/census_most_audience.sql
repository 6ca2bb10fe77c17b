-- The largest audience that was counted within the window; nothing before the breaker's reset.
SELECT coalesce(max(c.audience), 0) AS audience
FROM {state}.census AS c
WHERE c.as_of > now() - %(window)s
  AND c.as_of > coalesce((SELECT breaker_reset_at FROM {state}.control), '-infinity')
