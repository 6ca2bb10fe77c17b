"""What the tests share.

servers    the PostgreSQL servers that integration tests run on
databases  a fresh database for each test, cloned from a template
waiting    until a condition holds; the only place where tests sleep
"""
