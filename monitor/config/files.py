"""The files that the configuration names: tokens are read, certificates must be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.config.mistakes import UnfitError
from monitor.config.model import Settings
from monitor.config.rules import TOKENS, Finding
from monitor.config.secrets import parse_token
from monitor.config.server import Tls


def read_files(settings: Settings, base: Path) -> tuple[Settings, list[Finding]]:
    """The settings with the tokens from their files, and paths resolved from `base` on."""
    findings: list[Finding] = []
    changes: dict[str, object] = {}
    for name in TOKENS:
        file = getattr(settings.server, f"{name}_file")
        if file is not None:
            changes[f"{name}_file"] = base / file
            try:
                changes[name] = parse_token(_text(file, base).strip())
            except UnfitError as error:
                findings.append(Finding((("server", f"{name}_file"),), str(error)))
    tls = settings.server.tls
    if tls is not None:
        changes["tls"] = Tls(cert=base / tls.cert, key=base / tls.key)
        findings.extend(_unreadable(tls, base))
    server = settings.server.model_copy(update=changes)
    return settings.model_copy(update={"server": server}), findings


def _unreadable(tls: Tls, base: Path) -> Iterator[Finding]:
    for name, file in (("cert", tls.cert), ("key", tls.key)):
        try:
            _text(file, base)
        except UnfitError as error:
            yield Finding((("server", "tls", name),), str(error))


def _text(file: Path, base: Path) -> str:
    """What is in a text file. Raises UnfitError, which does not show its name.

    The name may be a token that was written to the wrong key.
    """
    try:
        return (base / file).read_text(encoding="utf-8")
    except OSError as error:
        reason = f"none ({error.strerror})"
    except ValueError:
        reason = "one of other bytes"
    origin = "" if file.is_absolute() else f", looked for from {base.absolute()} on"
    raise UnfitError("a readable text file", f"{reason}{origin}", "correct the path")
