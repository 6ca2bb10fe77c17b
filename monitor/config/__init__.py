"""config.yaml: read, expanded, validated whole, and handed on as frozen Settings.

loader         file -> Settings, all mistakes at once; YAML -> data with the line of every key
interpolation  ${NAME} and ${NAME:-fallback} in scalars
validate       the data against the model; what pydantic finds, as sentences
model          all keys with their defaults; checks, healing, server: its sections
base           what every section has in common. A new key: one field with a docstring in its
               section; what must hold between keys: `contradictions` of the section
types          how each kind of key is written; cron, secrets: some of them
schema         JSON Schema for editors; the effective configuration, secrets masked
errors         what a mistake is, and how it reads
changes        which keys two configurations differ in
"""

from monitor.config.checks import Check, Checks, ExpectationsCheck, Severity, SqlCheck
from monitor.config.errors import ConfigError, InvalidConfigError
from monitor.config.healing import Mode
from monitor.config.loader import load_config, parse_config
from monitor.config.model import Settings
from monitor.config.schema import describe, json_schema
from monitor.config.server import Server, Tls
from monitor.config.types import MaintenanceWindow, format_duration

__all__ = [
    "Check",
    "Checks",
    "ConfigError",
    "ExpectationsCheck",
    "InvalidConfigError",
    "MaintenanceWindow",
    "Mode",
    "Server",
    "Settings",
    "Severity",
    "SqlCheck",
    "Tls",
    "describe",
    "format_duration",
    "json_schema",
    "load_config",
    "parse_config",
]
