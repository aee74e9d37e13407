"""Providers as data: one frozen value for each, read from a TOML profile.

A profile says how to send a refresh request, how to read its response, how long tokens live, and whether a lost
response may be repeated. Nothing here sends or receives.
"""
