"""`token-refresh status`."""
