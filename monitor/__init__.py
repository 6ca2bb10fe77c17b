"""The service, in the order of its loop.

config -> schedule -> check -> result -> policy -> heal -> verify -> publish
"""

import sys

# structlog draws tracebacks with Rich where it finds it, and loads Pygments for that: 4 MB of a
# service that never draws one. Out of sight for the moment of the import, it does without.
if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
