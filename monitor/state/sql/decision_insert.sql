-- One row a decision, with the sentence that says why.
INSERT INTO {state}.decision (decided_at, kind, code, reason, legacy_untracked)
VALUES (now(), %(kind)s, %(code)s, %(reason)s, %(legacy_untracked)s)
