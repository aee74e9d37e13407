"""`token-refresh pause` and `token-refresh resume`."""
