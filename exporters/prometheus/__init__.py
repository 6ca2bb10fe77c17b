"""The metrics at /metrics, made from a snapshot at each scrape; nothing keeps state.

metrics  every metric: name, meaning, labels, where its value comes from; and the registry, to
         which every replica adds the process's own
build    what a metric is; gauges and totals, plain, by check, by reason
"""

from exporters.prometheus.metrics import Clock, create_registry

__all__ = ["Clock", "create_registry"]
