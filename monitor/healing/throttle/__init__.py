"""What a run yields to beside its own duty: replicas, the operator's SQL, a Prometheus query.

model     the facts, as they were found or with the reason why they weren't; what is made of them
throttle  from the facts to a reason to wait, a pure function
gather    all facts at once, each with a deadline; never raises
replicas, condition, prometheus   one source each
blocking  who waits for a batch while it is written
throttler   all of it, as the executor and the writer use it
"""
