"""Style, scripts and the chart library: files of this package, addressed by their content.

An address names the hash of what it brings, so that a browser may keep it for good and still
never shows an old page with a new script.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_JAVASCRIPT, _CSS = "text/javascript", "text/css"
TYPES = {
    "page.css": _CSS,
    "page.js": _JAVASCRIPT,
    "actions.js": _JAVASCRIPT,
    "chart.js": _JAVASCRIPT,
    "uPlot.iife.min.js": _JAVASCRIPT,
    "uPlot.min.css": _CSS,
    "uPlot.LICENSE.txt": "text/plain",
    "icon.svg": "image/svg+xml",
}
"""All that is served, and as what."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content_type: str
    text: str
    version: str
    """The beginning of its SHA-256."""


@lru_cache(maxsize=len(TYPES))
def asset(name: str) -> Asset | None:
    """The file `name`; None where it is none of ours."""
    content_type = TYPES.get(name)
    if content_type is None:
        return None
    text = files("exporters.page").joinpath("static", name).read_text("utf-8")
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Asset(content_type, text, version)


def address(name: str) -> str:
    """Where a page finds the file. Raises LookupError for a file that there is not."""
    found = asset(name)
    if found is None:
        raise LookupError(f"static file: expected one of {', '.join(TYPES)}, found {name}")
    return f"/static/{name}?v={found.version}"
