-- The part of undo_batch_any_shape that gives rows back what `set` replaced in them.
,
cte_given_back AS (
    UPDATE {impressions_table} AS i
    SET {old_values}
    FROM cte_untouched AS m
    WHERE m.replaced IS NOT NULL AND {same_row}
    RETURNING m.entry
)
