"""Read-only views of the status snapshot. What they ask for goes through `monitor.commands`.

current      what of a snapshot is young enough to be shown as current
timestamps   moments as text
prometheus   the collector, its registry, a file for node_exporter
families/    the metrics, by subject
pushgateway  the same metrics, pushed; otlp/: pushed to an OpenTelemetry collector
runbooks     what to do about an alert, from Markdown
http/        routes, tokens, errors, JSON
page/        the pages, and what keeps them live
"""
