"""Documents with something wrong in them: a sound one, and a few changes that somebody, or some
program, might make to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Tree = Any
Place = tuple[str | int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_WORDS = ("", " ", "null", "true", "1", "-1", "0", "~", "5%", "150%", "7d", "99999999999d", "1e400")
_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    10**400,
    float("inf"),
    float("nan"),
    [],
    {},
    [None],
    {"": {}},
    *("x" * 10_000, "\x00", "\ud800", "${", "${X", "${X:-}", "$${X}", "a\nb", "🖼", "'; --"),
)
SCALARS = (
    st.sampled_from(_ODD)
    | st.sampled_from(_WORDS)
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
)
VALUES = SCALARS | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def places(tree: Tree, above: Place = ()) -> Iterator[Place]:
    """Every place of a document below its root."""
    pairs: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(tree, dict):
        pairs = iter(tree.items())
    elif isinstance(tree, list):
        pairs = iter(enumerate(tree))
    for key, value in pairs:
        yield (*above, key)
        yield from places(value, (*above, key))


def changed(tree: Tree, draw: Draw) -> Tree:
    """The document with one change: a value replaced, a key gone, misspelt or moved, a value
    wrapped, or two exchanged."""
    copied = json.loads(json.dumps(tree))
    all_places = list(places(copied))
    if not all_places:
        return draw(VALUES)
    place = draw(st.sampled_from(all_places))
    parent, key = _parent(copied, place), place[-1]
    match draw(st.sampled_from(("replace", "remove", "misspell", "wrap", "exchange", "add"))):
        case "replace":
            parent[key] = draw(VALUES)
        case "remove":
            del parent[key]
        case "misspell" if isinstance(parent, dict):
            parent[_misspelt(str(key), draw)] = parent.pop(key)
        case "wrap":
            parent[key] = draw(st.sampled_from(([parent[key]], {str(key): parent[key]})))
        case "exchange":
            other = draw(st.sampled_from(all_places))
            if other[: len(place)] != place and place[: len(other)] != other:
                beside = _parent(copied, other)
                parent[key], beside[other[-1]] = beside[other[-1]], parent[key]
        case _ if isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = draw(VALUES)
    return copied


def several(tree: Tree, draw: Draw, most: int = 4) -> Tree:
    """The document with one change after the other."""
    for _ in range(draw(st.integers(1, most))):
        try:
            tree = changed(tree, draw)
        except (TypeError, ValueError):  # JSON can't carry the last change: it is enough
            break
    return tree


def damaged(text: bytes, draw: Draw, pieces: Sequence[bytes], most: int = 4) -> bytes:
    """The text with bytes lost, doubled, or something else in between."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from((0, 1, 2, 10, 200, 5_000))))
        between = draw(st.sampled_from((b"", text[start:end] * 2, *pieces)) | st.binary(max_size=4))
        text = text[:start] + between + text[end:]
    return text


def _parent(tree: Tree, place: Place) -> Any:
    for key in place[:-1]:
        tree = tree[key]
    return tree


def _misspelt(key: str, draw: Draw) -> str:
    at = draw(st.integers(0, len(key)))
    forms = (key[:at] + key[at + 1 :], f"{key[:at]}_{key[at:]}", key.upper())
    return str(draw(st.sampled_from(forms)))
