"""`token-refresh authorize`."""
