"""The metrics at /metrics, made from a snapshot at each scrape; nothing keeps state.

metrics    every metric: name, meaning, labels, where its value comes from
build      what a metric is; gauges and totals, plain, by check, by reason
collector  the collector and its registry; the process's own metrics, exported by every replica
"""

from exporters.prometheus.collector import Clock, create_registry

__all__ = ["Clock", "create_registry"]
