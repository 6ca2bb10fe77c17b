"""Read-only views of the status snapshot. What they ask for goes through `monitor.commands`.

current      what of a snapshot is young enough to be shown as current
prometheus/  one table of the metrics, and their registry
push/        the same metrics, pushed to a Pushgateway or an OpenTelemetry collector, or as a file
http/        one table of routes; tokens, requests, responses, errors, OpenAPI
page/        the page at /
"""
