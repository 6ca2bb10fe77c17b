"""Style, scripts and the chart library: files of this package, addressed by their content.

An address names the hash of what it brings, so that a browser may keep it for good and still
never shows an old page with a new script.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_JAVASCRIPT, _CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
TYPES = {
    "page.css": _CSS,
    "page.js": _JAVASCRIPT,
    "act.js": _JAVASCRIPT,
    "chart.js": _JAVASCRIPT,
    "uPlot.iife.min.js": _JAVASCRIPT,
    "uPlot.min.css": _CSS,
    "uPlot.LICENSE.txt": "text/plain; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All that is served, and as what."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content_type: str
    body: bytes
    compressed: bytes
    """The same, gzipped."""
    version: str
    """The beginning of the SHA-256 of `body`."""


@lru_cache(maxsize=len(TYPES))
def asset(name: str) -> Asset | None:
    """The file `name`; None where it is none of ours."""
    content_type = TYPES.get(name)
    if content_type is None:
        return None
    body = files("exporters.page").joinpath("static", name).read_bytes()
    version = hashlib.sha256(body).hexdigest()[:16]
    return Asset(content_type, body, gzip.compress(body, mtime=0), version)


def address(name: str) -> str:
    """Where a page finds the file. Raises LookupError for a file that there is not."""
    found = asset(name)
    if found is None:
        raise LookupError(f"static file: expected one of {', '.join(TYPES)}, found {name}")
    return f"/static/{name}?v={found.version}"
