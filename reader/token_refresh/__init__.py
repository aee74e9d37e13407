"""Keeps OAuth 2.0 tokens in AWS Secrets Manager fresh: one run redeems, and the next recovers what a crash left."""

__version__ = "0.2.0"
