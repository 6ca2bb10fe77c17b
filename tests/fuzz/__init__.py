"""Inputs by the thousand: what schemathesis makes of the API's description, mutations of
configurations, notifications that Alertmanager never sent. `make test` runs a short form of each;
`make fuzz` the long one, with figures.

callers       who calls: every token, and none
api           schemathesis against the running service
documents     documents with something wrong in them
configurations, notifications   what is done with them
"""
