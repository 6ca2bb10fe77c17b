"""What is logged by libraries looks like what we log ourselves."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import logging
from monitor.cli.logs import configure_logs
configure_logs()
logging.getLogger("psycopg").warning("query cancellation failed: %s", "no details")
try:
    raise ValueError("two\\nlines")
except ValueError:
    logging.getLogger("asyncio").error("unhandled", exc_info=True)
logging.getLogger("apscheduler").warning("counted by our scheduler")
"""


def test_a_librarys_warning_is_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(one["logger"], one["level"], one["event"]) for one in lines] == [
        ("psycopg", "warning", "query cancellation failed: no details"),
        ("asyncio", "error", "unhandled"),
    ]
    assert "two\nlines" in lines[1]["exception"]
