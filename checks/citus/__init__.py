"""Everything that is so only where Citus spreads the tables over several servers.

cluster  what Citus says of itself, of one table and of the ledger, and how that is read
forms    the statements that Citus takes in another form, and how a CTE is written for it
keys     which keys it has, and the rule about unique ones
nodes    what the other nodes are told, and how it shows that one is away
rules    the doctor's rules about layouts
sql/     what `cluster` asks

Statements in a form for Citus stand beside the other form, as `…_on_citus.sql`.
"""
