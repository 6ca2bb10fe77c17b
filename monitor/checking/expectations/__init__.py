"""Suites of Great Expectations, run in a worker process of their own.

worker_pool  a pool of one process: starts it, bounds its time and memory, ends it
worker       the functions that run there, the only ones that import Great Expectations
suites       what they do there
redaction    what of a validation may leave that process
results      from a validation to results of checks: the suite's, and one an expectation
routine      a suite as an entry of the schedule
validation   unknown expectations and wrong arguments, as mistakes of the configuration
"""
