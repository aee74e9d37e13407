"""Prove the refresh protocol: the real worker, in every interleaving, within stated bounds."""
