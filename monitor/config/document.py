"""YAML text to plain data, with the line of every key, and variables expanded in every scalar.

The nodes are walked here rather than by PyYAML's constructor: it keeps the last of two equal
keys without a word, and forgets the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from monitor.config.environment import expand, is_endless
from monitor.config.mistakes import (
    InvalidConfigError,
    Loc,
    Mistake,
    UnfitError,
    path_of,
    sentence,
    shown,
)
from monitor.config.syntax import syntax_message

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(slots=True)
class Document:
    """What one file says. `broken` are the places whose value could not be made out."""

    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Loc, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[Loc] = field(default_factory=set)

    def mistake(self, loc: Loc, message: str) -> Mistake:
        """A mistake at `loc`, with the line of the nearest key that is written down."""
        line = next(
            (self.lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in self.lines), None
        )
        return Mistake(path_of(loc), message, line)

    def refuse(self, loc: Loc, message: str) -> None:
        """Notes a mistake at `loc`, whose value is of no use from here on."""
        self.mistakes.append(self.mistake(loc, message))
        self.broken.add(loc)


def read_document(text: str, environ: Mapping[str, str], source: str) -> Document:
    """The document in `text`. An empty one is an empty mapping.

    Raises InvalidConfigError where it is not YAML, or not a mapping; all else is noted in it.
    """
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        return _read_root(root, loader, environ, source)
    except yaml.YAMLError as error:
        raise InvalidConfigError([Mistake(source, syntax_message(error))]) from None
    except RecursionError:
        message = sentence("a plain structure", "one nested too deeply", "flatten it")
        raise InvalidConfigError([Mistake(source, message)]) from None
    finally:
        if loader is not None:
            loader.dispose()


def _read_root(
    root: yaml.Node | None, loader: yaml.SafeLoader, environ: Mapping[str, str], source: str
) -> Document:
    document = Document()
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return document
    if not isinstance(root, yaml.MappingNode):
        found = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        message = sentence("keys such as database:", found, "see the sample config.yaml")
        raise InvalidConfigError([Mistake(source, message)])
    document.data = _Walk(document, loader, environ).mapping(root, ())
    return document


class _Pair(NamedTuple):
    """A key, the line it stands on, and the node of its value."""

    key: str
    line: int
    value: yaml.Node


class _Walk:
    """Turns nodes into data, noting mistakes in the document."""

    def __init__(
        self, document: Document, loader: yaml.SafeLoader, environ: Mapping[str, str]
    ) -> None:
        self.document = document
        self.loader = loader
        self.environ = environ
        self.above: list[yaml.Node] = []

    def value(self, node: yaml.Node, loc: Loc) -> object:
        if any(node is ancestor for ancestor in self.above):
            found = "an alias of the group it stands in"
            self.document.refuse(loc, sentence("a value", found, "write it out"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return self.sequence(node, loc)
        return self.scalar(node, loc)

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        self.above.append(node)
        data: dict[str, object] = {}
        for key, line, value in self.pairs(node, loc):
            self.document.lines[(*loc, key)] = line
            data[key] = self.value(value, (*loc, key))
        self.above.pop()
        return data

    def sequence(self, node: yaml.SequenceNode, loc: Loc) -> list[object]:
        self.above.append(node)
        items: list[object] = []
        for index, item in enumerate(node.value):
            self.document.lines[(*loc, index)] = item.start_mark.line + 1
            items.append(self.value(item, (*loc, index)))
        self.above.pop()
        return items

    def pairs(self, node: yaml.MappingNode, loc: Loc) -> list[_Pair]:
        """The keys of a mapping with their values; its own replace those merged in (`<<`)."""
        own: dict[str, _Pair] = {}
        merged: dict[str, _Pair] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged = {pair.key: pair for pair in self.merged(value, loc)} | merged
            elif (key := self.key(key_node, loc)) is None:
                continue
            elif key in own:
                self.repeated((*loc, key), own[key].line, line)
            else:
                own[key] = _Pair(key, line, value)
        return list((merged | own).values())

    def merged(self, node: yaml.Node, loc: Loc) -> Iterator[_Pair]:
        """The pairs of the groups after `<<`: the first of several wins, so it comes last."""
        sources = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode) and all(source is not up for up in self.above):
                self.above.append(source)
                yield from self.pairs(source, loc)
                self.above.pop()
            else:
                message = sentence("groups of keys after <<", "another value", "merge an *alias")
                self.document.refuse((*loc, "<<"), message)

    def key(self, node: yaml.Node, loc: Loc) -> str | None:
        key = self.constructed(node, (*loc, "?")) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, str) and _is_unicode(key):
            return key
        line = node.start_mark.line + 1
        message = sentence("a name as key", shown(key), "put it in quotes")
        self.document.mistakes.append(Mistake(path_of(loc) or "(top)", message, line))
        return None

    def repeated(self, loc: Loc, first: int, again: int) -> None:
        message = sentence("each key once", f"it on line {first} too", "keep one of the two")
        self.document.mistakes.append(Mistake(path_of(loc), message, again))

    def scalar(self, node: yaml.Node, loc: Loc) -> object:
        value = self.constructed(node, loc)
        if not isinstance(value, str):
            return value
        try:
            text = expand(value, self.environ)
        except UnfitError as error:
            self.document.refuse(loc, str(error))
            return None
        if not _is_unicode(text):
            message = sentence("Unicode text", "half a character", "write the character itself")
            self.document.refuse(loc, message)
        return text

    def constructed(self, node: yaml.Node, loc: Loc) -> object:
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
        self.document.refuse(loc, message)
        return None


def _is_unicode(text: str) -> bool:
    """False for lone surrogates: from `"\\ud800"`, or a variable that is not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
