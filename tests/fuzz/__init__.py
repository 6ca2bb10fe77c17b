"""Inputs by the thousand: what schemathesis makes of the API's description, mutations of
configurations, notifications that Alertmanager never sent, galleries that must not be suspected.
`make test` runs a short form of each; `make fuzz` the long one, with figures.

service         the service on a gallery, with every token
callers         who calls: every token, and none
api, hooks      schemathesis against that service
documents       documents with something wrong in them
configurations  such documents as config.yaml
notifications   such documents for /api/alerts
urls            database URLs, as libpq's manual describes them
suspicions      galleries by chance, and what the doctor suspects
campaign        many inputs, and how many of them were taken
"""
