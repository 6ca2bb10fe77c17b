"""config.yaml: read, expanded, validated whole, and handed on as frozen Settings.

load         file -> Settings, all mistakes at once
document     YAML -> plain data with lines; duplicate keys. syntax: what is no YAML
environment  ${NAME} and ${NAME:-fallback} in scalars
shape        first pass: the data against the model; wording: its findings as sentences
rules        second pass: keys against each other; files: the files that keys name
model        all keys with their defaults; checks, healing, server, export: its sections
scalars      types of plain keys; quantities: types with a notation of their own
units        durations, shares, sizes; values: thresholds, windows, moments; cron; secrets
schema       JSON Schema for editors; describe: the effective configuration, secrets masked
mistakes     what a mistake is, and how it reads
"""

from checks.judgement import Comparison, Threshold
from monitor.config.checks import (
    ArtworkSupply,
    Census,
    Check,
    Checks,
    Expectation,
    ExpectationsCheck,
    PoolExhaustion,
    RecordingRate,
    Severity,
    SqlCheck,
)
from monitor.config.describe import describe
from monitor.config.export import Export, Otlp
from monitor.config.healing import Breaker, Healing, Mode, Pace, Promql
from monitor.config.load import load_config, parse_config
from monitor.config.mistakes import InvalidConfigError, Mistake
from monitor.config.model import (
    Artworks,
    Catalog,
    Database,
    Impressions,
    Pools,
    Settings,
    Users,
)
from monitor.config.schema import json_schema
from monitor.config.server import Server, Tls
from monitor.config.units import (
    format_duration,
    format_share,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
)
from monitor.config.values import Window

__all__ = [
    "ArtworkSupply",
    "Artworks",
    "Breaker",
    "Catalog",
    "Census",
    "Check",
    "Checks",
    "Comparison",
    "Database",
    "Expectation",
    "ExpectationsCheck",
    "Export",
    "Healing",
    "Impressions",
    "InvalidConfigError",
    "Mistake",
    "Mode",
    "Otlp",
    "Pace",
    "PoolExhaustion",
    "Pools",
    "Promql",
    "RecordingRate",
    "Server",
    "Settings",
    "Severity",
    "SqlCheck",
    "Threshold",
    "Tls",
    "Users",
    "Window",
    "describe",
    "format_duration",
    "format_share",
    "format_size",
    "json_schema",
    "load_config",
    "parse_config",
    "parse_duration",
    "parse_share",
    "parse_size",
]
