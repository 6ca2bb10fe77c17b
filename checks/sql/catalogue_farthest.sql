-- The farthest value of a numbered column in either direction: where its sequence can't be read.
SELECT max(i.{column}) AS highest, min(i.{column}) AS lowest FROM {table} AS i
