"""Read-only views of the status snapshot. What they ask for goes through `monitor.commands`.

current      what of a snapshot is young enough to be shown as current
timestamps   moments as text
prometheus   the collector and its registry; families/ holds the metrics, by subject
textfile     the same metrics as a file for node_exporter
pushgateway  the same metrics, pushed; otlp/: pushed to an OpenTelemetry collector
http/        routes, tokens, errors, JSON
page/        the page at /
"""
