"""A provider: a real authorization server, and a token endpoint that follows a script."""
