"""The same metrics, brought to somebody instead of being scraped.

pushgateway   to a Pushgateway, or as a file for node_exporter
otlp          to an OpenTelemetry collector: once, or again and again beside the service
otlp_records  the registry -> the SDK's records, with the same names and values

OTLP needs the extra `otlp`, which is imported only when it is asked for: it costs memory.
"""
