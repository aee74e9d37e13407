"""A year of one token set with much trouble, on a virtual clock: what each part of the worker is worth."""
