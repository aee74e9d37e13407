"""`token-refresh client`."""
