"""The effective configuration, fit for a person's eyes."""

from __future__ import annotations

from typing import Any

from monitor.config.model import Settings


def describe(settings: Settings) -> dict[str, Any]:
    """Every key with the value in effect, JSON-serialisable, in the notation of the file.

    Secrets are `***`, and so are credentials in other URLs.
    """
    return settings.model_dump(mode="json")
