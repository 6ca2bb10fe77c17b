-- The eighth revision: which rows of the ledger lie in a window of time. Rows come in order of time,
-- so that this says where to look, at a few kilobytes and nothing to be paid by a batch.
CREATE INDEX backfilled_impression_viewed_at ON {state}.backfilled_impression
    USING brin (viewed_at) WITH (autosummarize = on)
