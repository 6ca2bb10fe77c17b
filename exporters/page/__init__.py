"""The pages: what the snapshot and the history say, in HTML that needs no script.

checks       is the gallery fine, in one sentence; the checks
counts       the four counts, now and over time
healing      the last decision; breaker, pause, suspension, mode
runs         the current run, and earlier ones
views        the status page with its sections, each with a version by which a change is known; all
             other pages, runbooks included
state        what pages and streams share, read and rendered rarely, once for all
broadcast    one rendering a change for all open pages, and none while nobody looks
formatting   numbers and moments as a reader wants them
assets       style, scripts and the chart library, named by their content
"""
