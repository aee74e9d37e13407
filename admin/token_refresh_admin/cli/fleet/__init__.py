"""`token-refresh fleet`: what operators see and do of a fleet of secrets."""
