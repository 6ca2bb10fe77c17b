"""The Jinja2 environment: everything is escaped, and what a template doesn't get is an error."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from exporters.page import formatting
from exporters.page.assets import address

if TYPE_CHECKING:
    from jinja2 import Environment


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Loaded for the first page: commands and probes never need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=PackageLoader("exporters.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        whole=formatting.whole,
        measured=formatting.measured,
        lasting=formatting.lasting,
        day_and_time=formatting.day_and_time,
        short_time=formatting.short_time,
        machine=formatting.machine,
    )
    made.globals.update(static=address)
    return made


def render(template: str, **values: object) -> str:
    """The template `template`.html with these values."""
    return _environment().get_template(f"{template}.html").render(values)
