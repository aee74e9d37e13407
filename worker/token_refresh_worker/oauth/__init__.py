"""OAuth 2.0 as RFC 6749 has it: the refresh request and what a response proves. Nothing here sends or receives."""
