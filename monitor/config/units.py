"""Durations, shares and sizes: text to value, and back without loss."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from monitor.config.mistakes import UnfitError, shown

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"

MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}
"""Microseconds in each unit of duration, largest first: the order in which they combine."""

BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}

LARGEST_SIZE = 2**80
"""Bytes; no storage is as large."""

DURATION_PATTERN = "^(?=.)" + "".join(f"(?:({_NUMBER}){unit})?" for unit in MICROSECONDS) + "$"
SHARE_PATTERN = f"^({_NUMBER})(%?)$"
SIZE_PATTERN = f"^({_NUMBER})({'|'.join(BYTES)})?$"
"""The three patterns mean the same to Python and to a JSON Schema validator."""


def parse_duration(text: str) -> timedelta:
    """`1d12h` as a timedelta, to the microsecond. Each unit once, largest first.

    Raises UnfitError for any other form, and for more than a timedelta holds.
    """
    match = re.fullmatch(DURATION_PATTERN[1:-1], text)
    if match is None:
        remedy = "write numbers with the units w, d, h, m, s, ms, largest first, without spaces"
        if re.fullmatch(_NUMBER, text):
            remedy = f"add a unit, for example {text}s"
        raise UnfitError("a duration such as 250ms, 15m or 1d12h", shown(text), remedy)
    amounts = zip(match.groups(), MICROSECONDS.values(), strict=True)
    total = sum((Decimal(amount) * unit for amount, unit in amounts if amount), Decimal(0))
    try:
        return timedelta(microseconds=int(total))
    except OverflowError:
        raise UnfitError("a duration that fits a calendar", shown(text), "write less") from None


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `duration`, which is not negative.

    Without weeks: `14d` is easier to compare than `2w`.
    """
    rest = duration // timedelta(microseconds=1)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        amount, rest = divmod(rest, MICROSECONDS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    if rest:
        parts.append(f"{_plain(Decimal(rest) / MICROSECONDS['ms'])}ms")
    return "".join(parts) or "0s"


def parse_share(text: str) -> float:
    """`50%` or `0.5` as 0.5. Raises UnfitError unless it lies between 0 and 1."""
    match = re.fullmatch(SHARE_PATTERN[1:-1], text)
    if match is None:
        raise UnfitError(
            "a share such as 50% or 0.5",
            shown(text),
            "write a number, and a percent sign if above 1",
        )
    amount, percent = match.groups()
    if not percent:
        return share_of(float(amount))
    share = Decimal(amount) / 100
    if share > 1:
        raise UnfitError("a share between 0% and 100%", text, "write no more than 100%")
    return float(share)


def share_of(number: float) -> float:
    """`number` itself, where it is a share. Raises UnfitError unless it lies between 0 and 1."""
    if 0 <= number <= 1:
        return number
    whole = 100
    percent = 1 < number <= whole
    remedy = f"write {number:g}% if that was meant" if percent else "write a number between them"
    raise UnfitError("a share between 0 (0%) and 1 (100%)", f"{number:g}", remedy)


def format_share(share: float) -> str:
    """The text in percent that `parse_share` reads back as exactly `share`."""
    return f"{_plain(Decimal(repr(share)) * 100)}%"


def parse_size(text: str) -> int:
    """`64MiB`, `10MB` or `1024` as bytes. Raises UnfitError unless it is a whole number of them."""
    match = re.fullmatch(SIZE_PATTERN[1:-1], text)
    if match is not None:
        amount, unit = match.groups()
        size = Decimal(amount) * BYTES[unit or "B"]
        if size > LARGEST_SIZE:
            raise UnfitError("a size of at most 2^80 bytes", shown(text), "write less")
        if size == int(size):
            return int(size)
    raise UnfitError(
        "a size such as 64MiB, 10MB or 1024 (bytes)",
        shown(text),
        "write a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, without a space",
    )


def format_size(size: int) -> str:
    """The text in the largest binary unit without a fraction, which `parse_size` reads back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


def _plain(number: Decimal) -> str:
    """A decimal without exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
