"""The command line, and the one place that joins the service with its exporters.

app        the program; late: its commands, each loaded when it is called
errors     every error as one sentence and the right exit code
session    configuration, engine, catalogue: what most commands begin with
output     tables for people, JSON for programs
others     one command, or a few that belong together, a file
"""

from monitor.cli.app import main

__all__ = ["main"]
