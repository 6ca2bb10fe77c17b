"""Suites of Great Expectations, run in a worker process of their own.

messages   what the service and the worker tell each other, a line of JSON each
worker     the other process: the only place that imports Great Expectations
suites     runs them there
disclosure what of a validation may leave that process
client     keeps one worker: starts, asks, bounds, restarts it
results    from a validation to measurements, one an expectation
routine    a suite as an entry of the schedule
faults     unknown expectations and wrong arguments, as mistakes of the configuration
report     the page that leads to the reports
"""
