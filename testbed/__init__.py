"""Real and faithful parts to run the worker against, on this machine."""
