-- The eleventh revision: a run keeps which artworks its plan is about.
ALTER TABLE {state}.run
    -- Their ids as text, for as long as the run is active; null: all legacy ones.
    ADD COLUMN artworks text[]
