"""Makes dashboards and alert rules from one source: `python -m grafana.generate`.

alerts    every alert, as plain data
"""
