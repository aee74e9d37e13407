"""Refreshes the OAuth 2.0 tokens in AWS Secrets Manager: the Lambda functions, the fleet and the command line."""
