"""The service, in the order of its loop.

config -> schedule -> check -> result -> policy -> heal -> verify -> publish
"""
