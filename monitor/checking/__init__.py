"""Checks: one definition, one result, one runner and one registry for every one of them.

definition   what a check is: settings, how it measures, thresholds, what is shown beside it
registry     all of them, for the service and for the command line; those that are one measurement
census, recording_rate   those that do more than that; suites stand in expectations
runner       evaluates any of them: a place, a deadline, a judgement, an error; publishes what was
             found, and stretches the interval to the budget
replica      which server they read
once         each once, as `check` wants it

A run's measurements become results (monitor/status.py), which are shown, kept, and read back by
followers.
"""
