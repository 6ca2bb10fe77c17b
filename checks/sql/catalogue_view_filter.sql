-- What a view leaves out, as PostgreSQL plans to: in the columns of the table beneath it. To be
-- explained, never run; the bound limit forbids a second statement.
SELECT FROM {table}
LIMIT %(one)s
