"""Prove that no race and no crash loses a grant: the real worker, in every interleaving, within stated bounds."""
