"""The HTTP side: aiohttp application, routes, tokens, JSON.

app       every route, with who may call it
tokens    bearer tokens -> role; role and route -> allowed or refused
doorman   lets calls in, or refuses and counts them; buckets: how often each client may
connections  the port: how many connections, how long each may take
request_id, access_log   what answers and log lines say about a request
errors    exceptions -> status, code, sentence; the headers of every response
body      bytes -> a JSON object, strictly
models    the bodies that calls take
queries   query parameters and path numbers, strictly
answers   records -> JSON
context   what the handlers share
artworks, checks, healing, health, runs   the handlers, by subject
"""

from exporters.api.app import create_app
from exporters.api.connections import Limits, Site
from exporters.api.tokens import Keyring, Tokens

__all__ = ["Keyring", "Limits", "Site", "Tokens", "create_app"]
