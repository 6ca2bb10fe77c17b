"""The pages: what the snapshot and the history say, in HTML that needs no script.

context      everything that a page shows, at one moment
summary      the one sentence: is the gallery fine?
counts, decision, current_run, checks, runs, switches   the sections, each a record of what it shows
sections     these in order, rendered, each with a version by which a change is known
chart        the counts over time: its newest point, and lines and a table for who has no script
ttl_cache    what is read from the database for pages: rarely, once for all readers
broadcast    one rendering a change for all open pages, and none while nobody looks
state        what pages and streams share, read and rendered once for all
views        the whole pages: status, runs, one run, one user, an error
formatting   numbers and moments as a reader wants them
templates    the Jinja2 environment: everything escaped, nothing undefined
assets       style, scripts and the chart library, named by their content
"""
