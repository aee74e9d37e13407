"""`token-refresh revoke`."""
