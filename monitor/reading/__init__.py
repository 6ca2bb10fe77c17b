"""Where checks read: `server` chooses between replica and primary; its statements are in sql/."""

from monitor.reading.server import ReadServer

__all__ = ["ReadServer"]
