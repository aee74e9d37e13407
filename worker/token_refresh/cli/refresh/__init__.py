"""`token-refresh refresh`."""
