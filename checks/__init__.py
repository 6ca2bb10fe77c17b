"""What consistent means, and how it is counted. Read-only; imports nothing else of ours.

spec        what the operator calls the tables, and the pools' cutoffs
errors      the root of every error that this product raises
relations   facts about the three tables, as read from PostgreSQL's catalogue
catalogue   reads those facts
citus/      what is different where Citus spreads the tables over several servers
statements  SQL files, and how names get into them; fragments: the pieces for one catalogue
made_rows   what a row of ours is made of: the operator's expressions, and the rows they may read
read_elsewhere  which other tables the operator's SQL reads, and what is beneath views
doctor/     facts -> findings: what is wrong, what follows, what mends it
census      the four counts, in several forms, and which of them is exact here
pairs       one user's counts, and one pair explained value by value
sql/        every SELECT, one a file

judgement        what a check brings back, and the pure step to an outcome
row_faults       rows that can't be right: duplicates, orphans, impossible times
supply           what is left to show, and whether more comes
recording_rate/  whether the app still records impressions as usual
custom_sql       the operator's own number
"""
