"""Decisions, without I/O: every module here is a pure function of its arguments, and `now` is one of them."""
