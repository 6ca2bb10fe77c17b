"""A gallery to try the service on: a real PostgreSQL, sample data, simulated visitors.

server    runs the embedded PostgreSQL; what a killed demo left goes with the next start
programs  where its programs are, the account that they run as, a copy where it can't reach them
gallery   fills the app's tables as the incident left them
visitors  asyncio tasks that look at artworks as the app's visitors do
settings  the demo's configuration
view      draws counts, decisions and runs in the terminal
sql/      the app's tables and the app's statements; nothing here is used in production
"""
