"""Prove that no race and no crash loses a grant: run the real worker through every interleaving, within stated bounds."""
