"""The HTTP side: aiohttp application, routes, tokens, JSON.

app       every route, with who may call it
tokens    bearer tokens -> role; role and route -> allowed or refused
gate      who is let in, how often; rates: the buckets for that
requests  every request's id, and its line in the access log
errors    exceptions -> status, code, sentence; the headers of every response
body      bytes -> a JSON object, strictly
models    the bodies that calls take
queries   query parameters and path numbers, strictly
answers   records -> JSON; shapes/ are its types
openapi/  the description of all calls; `description` serves it
unchanged answers that whoever has them already is not sent again
runner    requests that can't be read or don't come to an end, before any route
context   what the handlers share
artworks, checks, healing, health, runs   the handlers, by subject
"""

from exporters.api.app import create_app
from exporters.api.tokens import Tokens

__all__ = ["Tokens", "create_app"]
