"""From a file to Settings: read, expand, shape, cross-check, and tell all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from monitor.config.document import Document, read_document
from monitor.config.environment import Expanded
from monitor.config.files import read_files
from monitor.config.mistakes import InvalidConfigError, Loc, Mistake, sentence
from monitor.config.model import Settings
from monitor.config.rules import Finding, find_contradictions, find_shared_tokens
from monitor.config.shape import Shaped, shape
from monitor.config.values import with_zone

ADMIN_TOKEN = "CONSERVATOR_ADMIN_TOKEN"
"""The variable that gives the admin token where the file does not mention one."""


def load_config(path: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration in the file at `path`.

    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = sentence("a configuration file", "none", "write one, or name another with -c")
        raise InvalidConfigError([Mistake(str(path), message)]) from None
    except OSError as error:
        message = sentence("a readable file", error.strerror or "another", "correct that")
        raise InvalidConfigError([Mistake(str(path), message)]) from None
    except UnicodeDecodeError:
        message = sentence("UTF-8 text", "other bytes", "save the file as UTF-8")
        raise InvalidConfigError([Mistake(str(path), message)]) from None
    return parse_config(text, environ, source=str(path), base_dir=path.parent)


def parse_config(
    text: str, environ: Mapping[str, str], *, source: str, base_dir: Path | None
) -> Settings:
    """The configuration in `text`, which came from `source`.

    Files that it names are looked for from `base_dir` on, or else from the working directory.
    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    document = read_document(text, environ, source)
    _take_admin_token(document, environ)
    shaped = shape(document)
    settings = _examine(shaped, document, base_dir or Path()) if shaped else None
    if document.mistakes or settings is None:
        raise InvalidConfigError(_in_order(document))
    return settings


def _take_admin_token(document: Document, environ: Mapping[str, str]) -> None:
    """The default of server.admin_token is a variable, where the file says nothing of it."""
    server = document.data.setdefault("server", {})
    if server is None:
        document.data["server"] = server = {}
    if isinstance(server, dict) and not server.keys() & {"admin_token", "admin_token_file"}:
        server["admin_token"] = Expanded(environ.get(ADMIN_TOKEN, ""))


def _examine(shaped: Shaped, document: Document, base: Path) -> Settings:
    """The second pass, with its findings noted in the document."""
    settings = shaped.settings
    _note(find_contradictions(settings), shaped, document)
    settings, findings = read_files(settings, base)
    _note(findings, shaped, document)
    _note(find_shared_tokens(settings), shaped, document)
    return _with_zone(settings)


def _note(findings: Iterable[Finding], shaped: Shaped, document: Document) -> None:
    for finding in findings:
        about = [shaped.original(loc) for loc in finding.about]
        if not any(_touches(loc, document.broken) for loc in about):
            document.mistakes.append(document.mistake(about[0], finding.message))


def _touches(loc: Loc, broken: set[Loc]) -> bool:
    return any(loc[: len(part)] == part for part in broken)


def _with_zone(settings: Settings) -> Settings:
    """A moment without time zone is one in catalog.timezone."""
    before = settings.pools.legacy_created_before
    if before is None or before.tzinfo is not None:
        return settings
    moment = with_zone(before, settings.catalog.timezone)
    pools = settings.pools.model_copy(update={"legacy_created_before": moment})
    return settings.model_copy(update={"pools": pools})


def _in_order(document: Document) -> list[Mistake]:
    """As they stand in the file; what is missing from it comes first."""
    return sorted(document.mistakes, key=lambda mistake: mistake.line or 0)
