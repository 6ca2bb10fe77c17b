"""Every deadline, interval and retry pause that is no setting. Names ending in SECONDS are plain
numbers of seconds; the others are durations."""

from __future__ import annotations

from datetime import timedelta

# Connections

CONNECT_TIMEOUT_SECONDS = 5
"""How long making a connection to the database may take."""
POOL_TIMEOUT_SECONDS = 10
"""How long anybody waits for a connection of the pool to become free."""
CONNECTION_AGE_SECONDS = 1800
"""How old a pooled connection becomes before it is made anew."""
SILENCE_SECONDS = 20
"""How long a host may be silent; the kernel would take a quarter of an hour to give it up."""
PROBE_SECONDS = 5
"""The pause between two questions whether a silent host is still there."""
PROBES = 3
"""So many of them without an answer, and it is not."""

# Our own tables

STATE_TIMEOUT = timedelta(seconds=10)
"""Bounds a statement over a few rows of our own tables."""
UPGRADE_TIMEOUT = timedelta(seconds=60)
"""Bounds a statement that creates or upgrades our tables."""
UPGRADE_ATTEMPTS = 8
"""How often an upgrade is tried that an earlier version's batches stand in the way of."""
REWRITE_TIMEOUT = timedelta(hours=1)
"""Bounds a statement that rewrites one of them in other types: the ledger has every row ever
written."""
REWRITE_LOCK_TIMEOUT = timedelta(seconds=30)
"""How long that waits for others to leave the table, while more of them queue up behind it."""
HISTORY_INTERVAL = timedelta(hours=1)
"""How often the leader forgets what is older than `history`, and what the app has erased."""
SWEEP_SECONDS = 5.0
"""How long one sweep works on the ledger; the next one goes on from there."""

# Judgement

LOOK_BACK = timedelta(hours=24)
"""How far back losses, the audience and recurring pairs are judged."""
TALLY_SECONDS = 3600.0
"""How old the last tally becomes before another is taken without any other reason."""

# Jobs

MISFIRE_GRACE_SECONDS = 30
"""A run later than this is counted as missed and left out; the next one is due soon enough."""
CRON_GRACE_SECONDS = 300.0
"""How long after a check by cron is due again its last result still holds."""
REFRESH_SECONDS = 5.0
"""How often the processes exchange what they know: pause, totals, the active run, results. More
often where the lease or the census is shorter: a follower's counts must not look stale between."""
REPAIRS_INTERVAL = timedelta(minutes=1)
"""How often it is decided about repairs, where nothing wakes the job before."""
SHORTEST_REFRESH_SECONDS = 0.5
"""The least time between two such exchanges, however short the lease."""
SPREAD_SECONDS = 30.0
"""Over so long the first runs of the checks are spread: they don't all come at once."""
TURN_SECONDS = 15.0
"""How long a caller's question waits for its turn before it is turned away."""

# Start and stop

FIRST_RETRY_SECONDS = 0.25
"""The first pause before a database that is away is looked for again; each one doubles."""
LONGEST_RETRY_SECONDS = 5.0
"""The longest of those pauses."""
DRAIN_SECONDS = 7.0
"""How long a stop waits for batches under way; with all the rest it is done within 10 s."""
DRAIN_LOOK_SECONDS = 0.02
"""How often a stop looks whether they have ended."""
CANCEL_SECONDS = 1.0
"""How long a cancelled task may take to end its statement on the server."""
RELEASE_SECONDS = 1.0
"""How long a stop tries to lay the lead down; the lease runs out by itself."""
LEAVE_SECONDS = 2.0
"""How long a command that a signal ended waits for what its library still does."""
GIT_SECONDS = 2
"""How long asking Git for the commit of a checkout may take."""

# Checks

CHECK_GRACE_SECONDS = 5.0
"""How much longer than the server's deadline the client waits, for a connection that hangs."""
WORKER_START_SECONDS = 60.0
"""How long the worker may take to start: Great Expectations takes seconds to import."""
WORKER_WATCH_SECONDS = 0.2
"""How often the memory of the worker is looked at."""
SHARED_LOCK_TIMEOUT = timedelta(milliseconds=500)
"""How long a session that shares another one's snapshot waits for a lock: who holds it may wait for
that other session."""
LOCK_PAUSE_SECONDS = 0.5
"""The pause before a check asks again for a table that is locked; it holds nothing meanwhile."""
REPLICA_LOOK_SECONDS = 1.0
"""How long a replica that was left is waited for: a check must not stand still each time."""
REPLICA_FIRST_PAUSE_SECONDS = 0.02
"""The first pause before the replica is asked again how far it has replayed; each one doubles."""
REPLICA_LONGEST_PAUSE_SECONDS = 0.5
"""The longest of those pauses."""

# Healing

LONGEST_RETRY_WAIT_SECONDS = 10.0
"""The longest random wait before a batch is tried again."""
WAIT_LOOK_SECONDS = 1.0
"""How often the signals are read again while a run waits for them."""
USER_PATIENCE_SECONDS = 5.0
"""Somebody stands and waits for the answer of a per-user run: after this long it is put down."""
GROUP_LOCK_TIMEOUT = timedelta(milliseconds=250)
"""How long backfills that share a transaction wait for a lock; who is in the way of one of them
must not hold up the others."""
TOTALS_SECONDS = 1.0
"""How often the totals are read again while many users are backfilled."""
SIGNAL_TIMEOUT = timedelta(seconds=5)
"""For each signal. The server ends its own statements by then; the network gets a moment more."""
SIGNAL_MARGIN_SECONDS = 1.0
"""How much longer the client waits for a signal than the server works on it."""
SIGNAL_FRESH_SECONDS = 1.0
"""Batches may be short: signals younger than this are not asked for again."""
BLOCKING_FIRST_LOOK_SECONDS = 0.1
"""A batch shorter than this is not worth a look, and nobody feels it."""
BLOCKING_LOOK_SECONDS = 0.2
"""How often it is looked again who waits for a batch."""
BLOCKING_TIMEOUT = timedelta(seconds=2)
"""Bounds the statement of such a look."""
BLOCKING_PATIENCE_SECONDS = 0.1
"""How long the end of a batch waits for a look under way; one takes a few milliseconds."""
