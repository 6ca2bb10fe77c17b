-- Whether the transaction can't write. Also its first statement with a snapshot: from then on
-- PostgreSQL lets nothing inside of it turn it back into one that writes.
SELECT pg_catalog.current_setting('transaction_read_only')::boolean
