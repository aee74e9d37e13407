"""The token secret as an operator sees it: its state, its health, where it is, and how to store a token set."""
