"""From a file to Settings: YAML with the line of every key, variables expanded, all validated.

The nodes are walked here rather than by PyYAML's constructor: it keeps the last of two equal
keys without a word, and forgets the lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from monitor.config.errors import (
    ConfigError,
    ErrorCollector,
    InvalidConfigError,
    InvalidValueError,
    Loc,
    repr_safe,
    sentence,
)
from monitor.config.interpolation import Expanded, expand, is_endless
from monitor.config.model import Settings
from monitor.config.validate import validate

ADMIN_TOKEN = "CONSERVATOR_ADMIN_TOKEN"
"""The variable that gives the admin token where the file does not mention one."""

MOST_NODES = 100_000
"""Values in one file. Aliases of aliases can make billions of a few lines."""

_MERGE = "tag:yaml.org,2002:merge"
_SYNTAX_REMEDIES = {
    "block scalar": 'put a value that begins with > or | in quotes: "> 0"',
    "alias": 'put a value that begins with * in quotes: "* * * * *"',
    r"'\t'": "indent with spaces instead of tabs",
    "cannot start any token": "put a value that begins with a special character in quotes",
    "": "check indentation, colons and quotes there",
}

_Pairs = dict[str, tuple[int, yaml.Node]]
"""Keys with the lines they stand on, and the nodes of their values."""


def load_config(path: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration in the file at `path`.

    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        remedy = "write one, or name another with -c"
        raise _unusable(str(path), "a configuration file", "none", remedy) from None
    except OSError as error:
        reason = error.strerror or "another"
        raise _unusable(str(path), "a readable file", reason, "correct that") from None
    except UnicodeDecodeError:
        remedy = "save the file as UTF-8"
        raise _unusable(str(path), "UTF-8 text", "other bytes", remedy) from None
    return parse_config(text, environ, source=str(path), base_dir=path.parent)


def parse_config(
    text: str, environ: Mapping[str, str], *, source: str, base_dir: Path | None
) -> Settings:
    """The configuration in `text`, which came from `source`.

    Files that it names are looked for from `base_dir` on, or else from the working directory.
    Raises InvalidConfigError with every mistake that can be found in one go.
    """
    errors = ErrorCollector()
    data = read_yaml(text, environ, source, errors)
    _take_admin_token(data, environ)
    settings = validate(data, errors, base_dir or Path())
    if errors.errors or settings is None:
        raise InvalidConfigError(errors.in_order())
    return settings


def _take_admin_token(data: dict[str, object], environ: Mapping[str, str]) -> None:
    """The default of server.admin_token is a variable, where the file says nothing of it."""
    server = {} if data.get("server") is None else data["server"]
    if isinstance(server, dict) and not server.keys() & {"admin_token", "admin_token_file"}:
        data["server"] = {**server, "admin_token": Expanded(environ.get(ADMIN_TOKEN, ""))}


def read_yaml(
    text: str, environ: Mapping[str, str], source: str, errors: ErrorCollector
) -> dict[str, object]:
    """The keys in `text`, with what is wrong with them, and their lines, noted in `errors`.

    Raises InvalidConfigError where it is not YAML, not a mapping, or without end.
    """
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None or root.tag == "tag:yaml.org,2002:null":
            return {}
        if isinstance(root, yaml.MappingNode):
            return _NodeReader(loader, environ, errors).mapping(root, ())
        found = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        raise _unusable(source, "keys such as database:", found, "see the sample config.yaml")
    except yaml.YAMLError as error:
        raise InvalidConfigError([ConfigError(source, _syntax_message(error))]) from None
    except RecursionError:
        raise _unusable(
            source, "a plain structure", "one nested too deeply", "flatten it"
        ) from None
    except _TooManyNodesError:
        found = f"more than {MOST_NODES:,}"
        remedy = "write less, and no alias within what an alias stands for"
        raise _unusable(source, "a limited number of values", found, remedy) from None
    finally:
        if loader is not None:
            loader.dispose()


def _unusable(source: str, expected: str, found: str, remedy: str) -> InvalidConfigError:
    """Why nothing at all can be made of the file."""
    return InvalidConfigError([ConfigError(source, sentence(expected, found, remedy))])


def _syntax_message(error: yaml.YAMLError) -> str:
    """Line and column, and what is wrong there, without quoting the text: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return sentence("YAML", "a character that is not printable", "remove it, or escape it")
    context, problem = error.context or "", error.problem or error.context or "unknown"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    quoted = re.sub(r"'[^']{2,}'", "'…'", problem.removeprefix("but "))
    clues = f"{context} {problem}"
    remedy = next(remedy for clue, remedy in _SYNTAX_REMEDIES.items() if clue in clues)
    return where + sentence("YAML", f"a mistake of syntax ({quoted})", remedy)


class _TooManyNodesError(Exception):
    """More values than any configuration has."""


class _NodeReader:
    """Turns nodes into data, noting lines and mistakes."""

    def __init__(
        self, loader: yaml.SafeLoader, environ: Mapping[str, str], errors: ErrorCollector
    ) -> None:
        self.loader = loader
        self.environ = environ
        self.errors = errors
        self.above: list[yaml.Node] = []
        self.nodes = 0

    def value(self, node: yaml.Node, loc: Loc) -> object:
        self.count()
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, loc)
        if node in self.above:
            found = "an alias of the group it stands in"
            self.errors.refuse(loc, sentence("a value", found, "write it out"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        return self.sequence(node, loc)

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _TooManyNodesError

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        self.above.append(node)
        data: dict[str, object] = {}
        for key, (line, value) in self.pairs(node, loc).items():
            self.errors.lines[(*loc, key)] = line
            data[key] = self.value(value, (*loc, key))
        self.above.pop()
        return data

    def sequence(self, node: yaml.Node, loc: Loc) -> list[object]:
        self.above.append(node)
        items: list[object] = []
        for index, item in enumerate(node.value):
            self.errors.lines[(*loc, index)] = item.start_mark.line + 1
            items.append(self.value(item, (*loc, index)))
        self.above.pop()
        return items

    def pairs(self, node: yaml.MappingNode, loc: Loc) -> _Pairs:
        """The keys of a mapping; its own replace those merged in (`<<`)."""
        own: _Pairs = {}
        merged: _Pairs = {}
        for key_node, value in node.value:
            self.count()
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged = self.merged(value, loc) | merged
            elif (key := self.key(key_node, loc, line)) is None:
                continue
            elif key in own:
                found = f"it on line {own[key][0]} too"
                message = sentence("each key once", found, "keep one of the two")
                self.errors.add((*loc, key), message, line)
            else:
                own[key] = (line, value)
        return merged | own

    def merged(self, node: yaml.Node, loc: Loc) -> _Pairs:
        """The pairs of the groups after `<<`: the first of several wins, so it comes last."""
        merged: _Pairs = {}
        sources = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode) and source not in self.above:
                self.above.append(source)
                merged |= self.pairs(source, loc)
                self.above.pop()
            else:
                message = sentence("groups of keys after <<", "another value", "merge an *alias")
                self.errors.refuse((*loc, "<<"), message)
        return merged

    def key(self, node: yaml.Node, loc: Loc, line: int) -> str | None:
        key = self.constructed(node, (*loc, "?")) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, str) and _is_unicode(key):
            return key
        message = sentence("a name as key", repr_safe(key), "put it in quotes")
        self.errors.add(loc, message, line)
        return None

    def scalar(self, node: yaml.ScalarNode, loc: Loc) -> object:
        value = self.constructed(node, loc)
        if not isinstance(value, str):
            return value
        try:
            text = expand(value, self.environ)
        except InvalidValueError as error:
            self.errors.refuse(loc, str(error))
            return None
        if not _is_unicode(text):
            message = sentence("Unicode text", "half a character", "write the character itself")
            self.errors.refuse(loc, message)
        return text

    def constructed(self, node: yaml.ScalarNode, loc: Loc) -> object:
        try:
            value = self.loader.construct_object(node)
            if not is_endless(value):
                return value
            message = sentence("a number", "one of hundreds of digits", "write a smaller one")
        except yaml.YAMLError:
            message = sentence("plain YAML", "a tag (!…)", "remove it, or put the value in quotes")
        except ValueError:
            message = sentence(
                "a number or a date that exists", "another", "correct it, or put it in quotes"
            )
        self.errors.refuse(loc, message)
        return None


def _is_unicode(text: str) -> bool:
    """False for lone surrogates: from `"\\ud800"`, or a variable that is not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
