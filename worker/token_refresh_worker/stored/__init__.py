"""Formats of what only the worker stores and reads."""
