"""A gallery to try the service on: a real PostgreSQL, sample data, simulated visitors.

server       runs a real PostgreSQL as our own child process, gone when we are gone
binaries     where PostgreSQL's programs are, and a readable copy where they are not
directories  the private directory a server lives in; removes those of dead owners
child        a child process that ends when we do, however we end
processes    what the operating system knows about a process
gallery      fills the app's tables as the incident left them
visitors     asyncio tasks that look at artworks as the app's visitors do
sql/         the app's tables and the app's statements; nothing here is used in production
"""
