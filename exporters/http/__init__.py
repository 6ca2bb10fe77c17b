"""The HTTP side: aiohttp application, routes, tokens, JSON.

routes      the table of routes: every call, who may make it, what it takes and answers
routing     what a route is; a request becomes a call, an answer a response
requests    parameters and bodies, as models
parsing     requests read as these models, strictly; what is wrong with them, in sentences
responses   what the answers share: a model reads the domain's record, and is published as it stands
artworks, checks, runs, healing, health, pages, events   by subject: answers, and handlers
openapi     the table as OpenAPI 3.1
auth        bearer tokens -> role; role and route -> allowed or refused; passwords of browsers
limits      how often and how many of one client; what was turned away
errors      every error code, with status and sentence
middlewares every request's id, its line in the access log; exceptions -> answers
server      all of it as one application; the port and its connections
"""
