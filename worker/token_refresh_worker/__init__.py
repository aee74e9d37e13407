"""Refreshes the OAuth 2.0 tokens in AWS Secrets Manager: what runs in Lambda."""
