"""The page that leads to the reports, one a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from html import escape
from typing import Any

from monitor.state.validations import Validation

INDEX = "index.html"
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.3rem 1rem .3rem 0;text-align:left}"
)


def index_page(validations: Sequence[Validation]) -> str:
    """HTML: when each suite was validated last, and how it came out."""
    rows = "".join(
        f'<tr><td><a href="{escape(one.suite)}.html">{escape(one.suite)}</a></td>'
        f"<td>{escape(_verdict(one.document))}</td>"
        f"<td>{one.validated_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}</td></tr>"
        for one in validations
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Expectations</title><style>{_STYLE}</style></head><body><h1>Expectations</h1>"
        "<table><tr><th>Suite</th><th>Met</th><th>Validated</th></tr>"
        f"{rows}</table></body></html>\n"
    )


def _verdict(document: Mapping[str, Any]) -> str:
    results = document.get("results") or []
    met = sum(bool(one.get("success")) for one in results)
    return f"{met} of {len(results)}"
