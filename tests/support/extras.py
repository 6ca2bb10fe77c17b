"""Tests of what is only there where an extra is installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def require_expectations() -> None:
    """Skips the test, or the module that is being collected, without Great Expectations; that is
    looked for and not imported, which takes seconds."""
    if find_spec("great_expectations") is None:
        pytest.skip("the extra `expectations` is not installed", allow_module_level=True)
