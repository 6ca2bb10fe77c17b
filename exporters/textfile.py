"""The metrics as a file, for the textfile collector of node_exporter."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile


def write_textfile(registry: CollectorRegistry, path: Path) -> None:
    """Write the metrics to `path` in one step, so that nobody reads half a file.

    node_exporter takes only names that end in `.prom`. Raises OSError.
    """
    write_to_textfile(str(path), registry)
