"""`token-refresh providers`."""
