"""What people change: they store a grant, replace the client, pause, move the claims, restore, revoke.

A change takes the ports of a run. It knows no screen and no option: commands are above it, and so may be any other
program. What a store or a change refuses is a `TokenRefreshError`, and its text says why. Docstrings name those that a
caller handles.
"""
