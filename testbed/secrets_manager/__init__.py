"""A strict Secrets Manager on loopback, and the model behind it."""
