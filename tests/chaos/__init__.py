"""Faults at every statement boundary: `python -m tests.chaos`, or `make chaos`.

A proxy between the service and PostgreSQL understands the protocol well enough to know where one
statement ends and the next begins, and strikes there: it kills the process, cuts or severs the
connection, has the server end the session, or freezes the process until its lease is somebody
else's. Afterwards the run is completed, and every row is held against the ledger.

wire        the proxy: where statements end, also within one round trip
faults      what may happen, and where
victims     the command in a process of its own
stage       databases to start from, and the audit at the end
boundaries  the rehearsal: every place where something may happen
cases       one fault, and the way back
rivals      two healers and one lease
storm       faults at random while the app writes and deletes
strangers   galleries of other shapes
repairs     a table that repairs mend
repair_storm  who writes it beside them
tally       the figures
program     what a whole form is made of
"""
