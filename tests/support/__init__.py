"""What the tests share.

servers    the PostgreSQL servers that integration tests run on
databases  a fresh database for each test, cloned from a template
waiting    until a condition holds; the only place where tests sleep
halls      the ways in which apps keep their tables: `hall_list`, and rarer ones in `odd_halls`
galleries  small generated galleries, dense where the states change
opening    a hall made on a server, and a gallery hung in it for one transaction
reckoning  the census pair by pair in plain Python; `anti_join`, the same in plain SQL
situations what the policy decides about
"""
