"""Everything that is so only where Citus spreads the tables over several servers.

distribution  what Citus says of itself and of one table
forms         the statements that Citus takes in another form, and how a CTE is written for it
cluster       reads the extension and the tables' distribution
rules         the doctor's rules about layouts
sql/          what `cluster` asks

Statements in a form for Citus stand beside the other form, as `…_on_citus.sql`.
"""
