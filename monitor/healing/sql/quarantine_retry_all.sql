-- A person starts a run: everything that was put aside is tried again.
UPDATE {state}.quarantine SET retry_at = now() WHERE retry_at > now()
