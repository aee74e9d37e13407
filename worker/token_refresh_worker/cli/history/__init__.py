"""`token-refresh history` and `token-refresh restore`."""
