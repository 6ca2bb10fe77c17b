"""The runbooks, read from Markdown: what to do about an alert, at three in the morning."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from exporters.page.views import runbook_page

_NAME = re.compile(r"[A-Za-z]{1,80}")
_PACKAGED = "runbooks"
_CHECKOUT = Path(__file__).parents[1] / "docs" / "runbooks"


def _folder() -> Traversable:
    """Beside this file where the program is installed, in docs/ of a checkout."""
    packaged = resources.files("exporters").joinpath(_PACKAGED)
    return packaged if packaged.is_dir() else _CHECKOUT


@lru_cache(maxsize=64)
def render_runbook(name: str) -> str | None:
    """The runbook of the alert `name` as a page; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    found = _folder().joinpath(f"{name}.md")
    if not found.is_file():
        return None
    # Loaded when the first runbook is asked for: nobody asks while all is well.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    text = found.read_text(encoding="utf-8")
    body: str = MarkdownIt("commonmark", {"html": False}).render(text)
    # What scrolls must be reachable with the keyboard.
    return runbook_page(name, body.replace("<pre>", '<pre tabindex="0">'))
