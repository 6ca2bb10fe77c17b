"""What is wrong with a file that is not YAML, as one sentence."""

from __future__ import annotations

import re

import yaml

from monitor.config.mistakes import sentence


def syntax_message(error: yaml.YAMLError) -> str:
    """Line and column, and what is wrong there, without quoting the text: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return sentence("YAML", "a character that is not printable", "remove it, or escape it")
    problem = error.problem or error.context or "unknown"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    quoted = re.sub(r"'[^']{2,}'", "'…'", problem.removeprefix("but "))
    remedy = _remedy(error.context or "", problem)
    return where + sentence("YAML", f"a mistake of syntax ({quoted})", remedy)


def _remedy(context: str, problem: str) -> str:
    if "block scalar" in context:
        return 'put a value that begins with > or | in quotes: "> 0"'
    if "alias" in context:
        return 'put a value that begins with * in quotes: "* * * * *"'
    if r"'\t'" in problem:
        return "indent with spaces instead of tabs"
    if "cannot start any token" in problem:
        return "put a value that begins with a special character in quotes"
    return "check indentation, colons and quotes there"
