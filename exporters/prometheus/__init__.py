"""The metrics at /metrics. Each family's module turns a snapshot into metrics; none keeps state.

collector  the collector and its registry; the process's own metrics, exported by every replica
build      gauges and counters from rows; nothing to say makes no family
census     the four counts and the users
checks     one set of series for each check
healing    totals, switches, the run in progress
"""

from exporters.prometheus.collector import Clock, create_registry

__all__ = ["Clock", "create_registry"]
