"""The command line, and the one place that joins the service with its exporters.

app         the program, its commands, every error as one sentence and the right exit code
session     configuration, engine, catalogue: what most commands begin with
foreground  a run that a person asks for: plan, ask, work, verify; heal and undo are made of it
output      tables for people, JSON for programs, logs
serving     the service with its HTTP side: serve, and the demo, run it
others      the commands: one, or a few that belong together, a file
"""

from monitor.cli.app import main

__all__ = ["main"]
