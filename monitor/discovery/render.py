"""A draft as YAML, each line with its evidence in a comment, and as a configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent, wrap

from checks.discover.answers import Question, View
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
    """The section `catalog`, to be pasted as it is, below what is asked."""
    lines = [*(line for one in draft.questions for line in _question(one)), "catalog:"]
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
    views = "".join(indent(f"{view_sql(one)}\n", "# ") for one in draft.views)
    return f"{_HEAD}{views}{catalog_yaml(draft)}"


def view_sql(view: View) -> str:
    """The statement of a view that has to be made first, below what speaks for it."""
    return "\n".join((OWNER_DECIDES, *_comment(view.evidence, sign="-- "), view.statement))


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


def _question(question: Question) -> Iterator[str]:
    """What is asked, and below it what may be answered."""
    yield from _comment(f"? {question.about}: {question.text}")
    yield from (f"#   - {one.strip()}" for one in question.alternatives)


def _comment(text: str, margin: str = "", sign: str = "# ") -> Iterator[str]:
    yield from (f"{margin}{sign}{one}" for one in wrap(text, _WIDTH - len(margin) - len(sign)))
