"""OpenTelemetry: the same metrics, with the same names and values, pushed by OTLP over HTTP.

translate   the registry -> the SDK's records
push        one push; the task that repeats it

Needs the extra `otlp`, which is imported only when it is asked for: it costs memory.
"""
