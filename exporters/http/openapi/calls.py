"""Every call, by method and path."""

from __future__ import annotations

from types import MappingProxyType

from exporters.http.openapi import alerts, artworks, checks, healing, pages, runs, service
from exporters.http.openapi.parts import Calls

CALLS: Calls = MappingProxyType(
    {
        **artworks.CALLS,
        **checks.CALLS,
        **runs.CALLS,
        **healing.CALLS,
        **alerts.CALLS,
        **pages.CALLS,
        **service.CALLS,
    }
)
