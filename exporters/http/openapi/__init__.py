"""The description of the HTTP side, as OpenAPI 3.1, at /api/openapi.json.

parts      what a call is made of: parameters, bodies, replies
replies    the replies that many calls share
artworks, checks, healing, runs, alerts, service   every call, by subject
calls      all of them, by method and path
schemas    types -> JSON Schema
document   all of it -> one document

Types come from `shapes` (answers) and `models` (bodies), who may call from the table of routes, so
that nothing is written down twice; tests hold the rest against what the service really answers.
`document` is loaded when the description is first asked for.
"""
