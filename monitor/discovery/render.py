"""A draft as YAML, each line with its evidence in a comment, and as a configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent, wrap

from checks.discover.answers import Question
from checks.doctor.findings import OWNER_DECIDES, in_yaml
from monitor.discovery.draft import Draft

_WIDTH = 100
_SECTIONS = ("artworks", "users", "impressions", "pairs")
_KEYS = (
    *("table", "id", "user", "artwork", "created_at", "viewed_at", "owner", "where", "counts"),
    *("set", "defaults", "several", "key", "same", "through"),
)
_HEAD = """\
# Written by `conservator discover`: what the tables and a part of their rows say. Read it, answer
# what is asked, and have `conservator doctor` look at it. Nothing is healed in this mode.
database:
  url: ${DATABASE_URL}
healing:
  mode: observe
"""


def catalog_yaml(draft: Draft) -> str:
    """The section `catalog`, to be pasted as it is."""
    lines = [*_asked(draft), "catalog:"]
    for section in (one for one in _SECTIONS if one in draft.catalog):
        lines.append(f"  {section}:")
        values: Mapping[str, object] = draft.catalog[section]
        known = [key for key in _KEYS if key in values]
        for key in (*known, *(key for key in values if key not in known)):
            lines += _setting(draft.evidence, f"{section}.{key}", key, values[key])
    rest = {key: value for key, value in draft.catalog.items() if key not in _SECTIONS}
    if rest:
        lines.append(indent(in_yaml(rest), "  "))
    return "\n".join(lines) + "\n"


def config_yaml(draft: Draft) -> str:
    """A whole configuration, in mode `observe`."""
    return f"{_HEAD}{catalog_yaml(draft)}"


def _setting(
    evidence: Mapping[str, Sequence[str]], path: str, key: str, value: object
) -> Iterator[str]:
    """One setting below its evidence; of a group of columns, each below its own."""
    for told in evidence.get(path, ()):
        yield from _comment(told, "    ")
    if isinstance(value, Mapping) and any(f"{path}.{name}" in evidence for name in value):
        yield f"    {key}:"
        for name, one in value.items():
            for told in evidence.get(f"{path}.{name}", ()):
                yield from _comment(told, "      ")
            yield indent(in_yaml({name: one}), "      ")
    else:
        yield indent(in_yaml({key: value}), "    ")


def _asked(draft: Draft) -> Iterator[str]:
    for view in draft.views:
        yield from _comment(f"To be made first: {view.evidence}.")
        yield from (f"# {line}" for line in (OWNER_DECIDES, *view.statement.splitlines()))
    for question in draft.questions:
        yield from question_lines(question, "# ")


def question_lines(question: Question, prefix: str = "") -> Iterator[str]:
    """What is asked, and below it what may be answered."""
    text = f"? {question.about}: {question.text}"
    yield from (f"{prefix}{line}" for line in wrap(text, _WIDTH - len(prefix)))
    yield from (f"{prefix}  - {one.strip()}" for one in question.alternatives)


def _comment(text: str, margin: str = "") -> Iterator[str]:
    width = _WIDTH - len(margin)
    yield from (f"{margin}# {line}" for line in wrap(text, width - len("# ")))
