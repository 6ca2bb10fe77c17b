"""What the tests share.

servers          the PostgreSQL servers that integration tests run on
databases        a fresh database for each test, cloned from a template
waiting          until a condition holds; the only place where tests sleep
app_schema       a way in which an app keeps its tables; `schema_matrix` lists them all
galleries        small generated galleries, dense where the states change
open_schema      a schema made on a server, and a gallery in it for one transaction
oracle           the census twice more: pair by pair in plain Python, and as plain SQL
ledger_audit     an audit of every write, and whether ledger, runs and totals agree with it
builders         records with unremarkable values; `policy_inputs`, what the policy decides about
"""
