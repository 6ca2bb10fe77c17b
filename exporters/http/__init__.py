"""The HTTP side: aiohttp application, routes, tokens, JSON.

routes      the table of routes: every call, who may make it, what it takes and answers
routing     what a route is; a request becomes a call, an answer a response
requests    parameters and bodies, as models; what is wrong with them, in sentences
responses   answers, as models that read the domain's records
openapi     the table as OpenAPI 3.1
artworks, runs, checks, healing, alerts, health, pages, events   the handlers, by subject
etag        what seldom changes: static files, runbooks, the description
tokens      bearer tokens -> role; role and route -> allowed or refused
auth        who is let in, how often; rate_limits: the buckets for that
errors      every error code, with status and sentence
middlewares every request's id, its line in the access log; exceptions -> answers
strict_json JSON in and out, strictly
server      the port and its connections
app         all of it as one application
"""
