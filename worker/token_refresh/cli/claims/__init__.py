"""`token-refresh claims`."""
