-- The fourteenth revision: a work list keeps which artworks each user misses.
ALTER TABLE {state}.work
    -- Their ids as text, where the plan has listed the pairs; null: whatever the user misses.
    ADD COLUMN artworks text[]
