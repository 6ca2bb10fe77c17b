"""A gallery to try the service on: a real PostgreSQL, sample data, simulated visitors.

server    runs the embedded PostgreSQL; what a killed demo left goes with the next start
gallery   the app: its tables as the incident left them, and visitors who use them
settings  the demo's configuration
view      draws counts, decisions and runs in the terminal
sql/      the app's tables and the app's statements; nothing here is used in production
"""
