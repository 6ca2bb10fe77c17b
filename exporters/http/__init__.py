"""The HTTP side: aiohttp application, routes, tokens, JSON.

app       every route, with who may call it
tokens    bearer tokens -> role; role and route -> allowed or refused
gate      who is let in, how often; rates: the buckets for that
requests  every request's id, and its line in the access log
basic     a browser's password for reading -> the bearer token that it is
errors    exceptions -> status, code, sentence; the headers of every response
body      bytes -> a JSON object, strictly
models    the bodies that calls take
queries   query parameters and path numbers, strictly
answers   records -> JSON; shapes/ are its types
openapi/  the description of all calls; `description` serves it
unchanged answers that whoever has them already is not sent again
runner    the port; connections: what can't be read, comes too late or is not taken, before routes
context   what the handlers share
artworks, checks, healing, health, history, runs   the handlers, by subject
pages     the HTML pages, and errors on the way to them as pages
events    the stream that keeps open pages live
viewing   what pages and streams share, read and rendered once for all
static    style, scripts, the chart library
"""
