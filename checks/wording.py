"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """`1 pair`, `2 pairs`, `12,000 pairs`; `no pairs` for none."""
    if number == 0:
        return f"no {thing}s"
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
