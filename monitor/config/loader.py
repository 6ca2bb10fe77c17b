"""YAML to data with the line of every key, and with `${NAME}` and `${NAME:-fallback}` replaced.

The nodes are walked here rather than by PyYAML's constructor: it keeps the last of two equal
keys without a word, and forgets the lines.

Because only scalars are expanded, a variable's value can't add keys or change the structure. As in
a shell, `:-` also stands in for a variable that is empty. A fallback is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from monitor.config.errors import (
    ConfigError,
    ErrorCollector,
    InvalidConfigError,
    InvalidValueError,
    Loc,
    repr_safe,
    sentence,
    unusable,
)

MOST_NODES = 100_000
"""Keys and values in one file. Aliases of aliases can make billions of a few lines."""

DEEPEST = 100
"""Groups and lists within each other."""

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

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<fallback>(?:(?!\$\{)[^}])*))?\}|\$\{"
)
"""`$${`, which stands for `${`; a variable; or a `${` that is none."""

_RETYPED = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
_LARGEST = 10**300
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def read_yaml(
    text: str, environ: Mapping[str, str], source: str, errors: ErrorCollector
) -> dict[str, Any]:
    """The keys in `text`, with what is wrong with them, and their lines, noted in `errors`.

    Raises InvalidConfigError where it is not YAML, not a mapping, or without end.
    """
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        if root is None or root.tag == "tag:yaml.org,2002:null":
            return {}
        if isinstance(root, yaml.MappingNode):
            return _NodeReader(environ, errors).mapping(root, ())
    except yaml.YAMLError as error:
        raise InvalidConfigError([ConfigError(source, _syntax_message(error))]) from None
    except RecursionError:
        found = f"one nested too deeply, within itself, or of more than {MOST_NODES:,} values"
        raise unusable(source, "a plain structure", found, "flatten it") from None
    found = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
    raise unusable(source, "keys such as database:", found, "see the sample config.yaml")


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


class _NodeReader:
    """Turns nodes into data, noting lines and mistakes. RecursionError for what has no end."""

    def __init__(self, environ: Mapping[str, str], errors: ErrorCollector) -> None:
        self.constructor = SafeConstructor()
        self.environ = environ
        self.errors = errors
        self.nodes = 0

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        pairs = self._pairs(node, loc).items()
        return {key: self._item(value, (*loc, key), line) for key, (line, value) in pairs}

    def _item(self, node: yaml.Node, loc: Loc, line: int) -> Any:
        """The value of a key or in a list; None where it is broken."""
        self._count(loc)
        self.errors.lines[loc] = line
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self._item(item, (*loc, i), item.start_mark.line + 1) for i, item in items]
        try:
            return self._scalar(node)
        except InvalidValueError as error:
            self.errors.refuse(loc, str(error))
            return None

    def _count(self, loc: Loc) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES or len(loc) > DEEPEST:
            raise RecursionError

    def _pairs(self, node: yaml.MappingNode, loc: Loc) -> _Pairs:
        """The keys of a mapping; its own replace those merged in (`<<`)."""
        own: _Pairs = {}
        merged: _Pairs = {}
        for key_node, value in node.value:
            self._count(loc)
            line = key_node.start_mark.line + 1
            key = self._key(key_node)
            if key_node.tag == _MERGE:
                merged = self._merged(value, loc) | merged
            elif not isinstance(key, str) or not _is_unicode(key):
                message = sentence("a name as key", repr_safe(key), "put it in quotes")
                self.errors.add(loc, message, line)
            elif key in own:
                found = f"it on line {own[key][0]} too"
                message = sentence("each key once", found, "keep one of the two")
                self.errors.add((*loc, key), message, line)
            else:
                own[key] = (line, value)
        return merged | own

    def _merged(self, node: yaml.Node, loc: Loc) -> _Pairs:
        """The pairs of the groups after `<<`: the first of several wins, so it comes last."""
        merged: _Pairs = {}
        sources = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            self._count(loc)
            if isinstance(source, yaml.MappingNode):
                merged |= self._pairs(source, loc)
            else:
                message = sentence("groups of keys after <<", "another value", "merge an *alias")
                self.errors.refuse((*loc, "<<"), message)
        return merged

    def _key(self, node: yaml.Node) -> object:
        try:
            return self._constructed(node) if isinstance(node, yaml.ScalarNode) else node
        except InvalidValueError:
            return node

    def _scalar(self, node: yaml.Node) -> object:
        value = self._constructed(node)
        if not isinstance(value, str):
            return value
        text = expand(value, self.environ)
        if not _is_unicode(text):
            raise InvalidValueError(
                "Unicode text", "half a character", "write the character itself"
            )
        return text

    def _constructed(self, node: yaml.Node) -> object:
        """What YAML makes of a scalar. Raises InvalidValueError, which does not show it."""
        try:
            value = self.constructor.construct_object(node)
        except yaml.YAMLError:
            remedy = "remove it, or put the value in quotes"
            raise InvalidValueError("plain YAML", "a tag (!…)", remedy) from None
        except ValueError:
            expected, remedy = "a number or a date that exists", "correct it, or put it in quotes"
            raise InvalidValueError(expected, "another", remedy) from None
        if is_endless(value):
            found, remedy = "one of hundreds of digits", "write a smaller one"
            raise InvalidValueError("a number", found, remedy)
        return _joined(value) if isinstance(value, str) else value


def _joined(text: str) -> str:
    """JSON writes a character beyond U+FFFF as two escapes (`"\\ud83d\\ude00"`), and every JSON
    is YAML: PyYAML reads two halves."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _is_unicode(text: str) -> bool:
    """False for lone surrogates: from `"\\ud800"`, or a variable that is not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


class Expanded(str):
    """Text that came from exactly one variable: where no text is wanted, it may be a number."""

    __slots__ = ()


def retyped(value: object) -> object:
    """What YAML makes of a variable's value as a plain scalar: null, a boolean, a number, else
    text. Anything else as it is."""
    if not isinstance(value, Expanded):
        return value
    text = value.strip()
    resolver: Any = Resolver()
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    if tag not in _RETYPED:
        return str(value)
    try:
        number = SafeConstructor().construct_object(yaml.ScalarNode(tag, text))
    except ValueError:
        return str(value)
    return str(value) if is_endless(number) else number


def is_endless(value: object) -> bool:
    """Whether it is a whole number too long for a float, and soon for text: nobody's setting."""
    return isinstance(value, int) and abs(value) > _LARGEST


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its variables replaced; an Expanded if it is one variable and nothing else.

    Raises InvalidValueError for variables that are not set, and for a `${` that is not a variable.
    """
    unset: dict[str, None] = {}

    def replace(match: re.Match[str]) -> str:
        name, fallback = match["name"], match["fallback"]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise InvalidValueError(  # the text may be a secret: only the position is shown
                "${NAME} or ${NAME:-fallback}",
                f"another form at character {match.start() + 1}",
                "correct it, or write $${ for a literal ${",
            )
        value = environ.get(name)
        if not value and fallback is not None:
            return fallback
        if value is None:
            unset[name] = None
        return value or ""

    result = _VARIABLE.sub(replace, text)
    if unset:
        several, first = len(unset) > 1, next(iter(unset))
        raise InvalidValueError(
            f"a value in the environment variable{'s' if several else ''} {', '.join(unset)}",
            "nothing",
            f"set {'them' if several else 'it'}, or write a fallback: ${{{first}:-…}}",
        )
    whole = _VARIABLE.fullmatch(text)
    return Expanded(result) if whole and whole["name"] else result
