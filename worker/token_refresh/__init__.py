"""Refreshes OAuth 2.0 tokens in AWS Secrets Manager so that no race and no crash ever loses the grant."""

__version__ = "0.2.0"
