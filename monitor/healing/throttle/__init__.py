"""What a run yields to beside its own duty: replicas, the operator's SQL, a Prometheus query.

throttle    the facts, and from them a reason to wait: pure
signals     all facts at once, each with a deadline; never raises
prometheus  the operator's query: one number
throttler   both, as the executor asks; and who waits for a batch while it is written
"""
