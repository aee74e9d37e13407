"""`token-refresh doctor`: what is checked, one module an area."""
