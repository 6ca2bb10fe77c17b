-- What an undo must know of the impressions before anything is changed: whether this role may delete
-- them, which foreign keys would delete or change rows of the app along with them, and which
-- triggers of the app hear of it.
SELECT
    coalesce(has_table_privilege(%(named)s::oid, 'DELETE'), TRUE) AS may_delete,
    ARRAY(
        SELECT c.conname || ' of ' || c.conrelid::regclass
        FROM pg_constraint AS c
        WHERE c.contype = 'f' AND c.confrelid = %(impressions)s::oid
          AND c.conparentid = 0 AND c.confdeltype IN ('c', 'n', 'd')
        ORDER BY 1
    ) AS cascades,
    ARRAY(
        SELECT t.tgname::text
        FROM pg_trigger AS t
        -- 8: the bit of pg_trigger.tgtype for DELETE.
        WHERE t.tgrelid = %(impressions)s::oid AND NOT t.tgisinternal
          AND t.tgenabled IN ('O', 'A') AND t.tgtype & 8 <> 0
        ORDER BY 1
    ) AS triggers
