"""config.yaml: read, expanded, validated whole, and handed on as frozen Settings.

model    all keys with their defaults; file -> Settings; checks, healing, repairs, server: its
         sections
section  what every section has in common, and data against it: all mistakes at once. A new key:
         one field with a docstring; what must hold between keys: `contradictions` of the section
loader   YAML -> data with the line of every key; ${NAME} and ${NAME:-fallback}
types    how each kind of key is written; times, secrets: some of them
schema   JSON Schema for editors; the effective configuration, secrets masked
errors   what a mistake is, and how it reads
"""

from monitor.config.checks import Check, Checks, ExpectationsCheck, Severity
from monitor.config.errors import ConfigError, InvalidConfigError
from monitor.config.healing import Mode
from monitor.config.model import Settings, load_config, parse_config
from monitor.config.repairs import Action, Repair
from monitor.config.schema import describe, json_schema
from monitor.config.server import Server, Tls
from monitor.config.types import format_duration

__all__ = [
    "Action",
    "Check",
    "Checks",
    "ConfigError",
    "ExpectationsCheck",
    "InvalidConfigError",
    "Mode",
    "Repair",
    "Server",
    "Settings",
    "Severity",
    "Tls",
    "describe",
    "format_duration",
    "json_schema",
    "load_config",
    "parse_config",
]
