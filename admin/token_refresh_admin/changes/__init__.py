"""What people change: they store a grant, replace the client, pause, move the claims, restore, revoke.

A change takes the ports of a run. It knows no screen and no option: commands are above it, and so may be any other
program. Where a store refuses, its `TokenRefreshError` is raised as it is; docstrings name other errors alone.
"""
