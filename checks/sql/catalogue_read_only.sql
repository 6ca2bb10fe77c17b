-- For the rest of the savepoint: a function that would write, or advance a sequence, is refused.
SET LOCAL transaction_read_only = on
