"""Suites of Great Expectations, run in a worker process of their own.

check      a suite as a check; its mistakes, as mistakes of the configuration
worker     the functions that run in the process, and the pool that bounds its time and memory
process    the process itself: how it is started, called and ended
suites     what they do there, the only module that imports Great Expectations
redaction  what of a validation may leave that process
results    from a validation to results of checks: the suite's, and one an expectation
"""
