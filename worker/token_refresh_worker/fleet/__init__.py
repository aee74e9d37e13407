"""A fleet: one deployment that refreshes thousands of token secrets; docs/fleet.md says how.

    dispatcher   each minute: hand out the secrets that are due
    worker       each message: one run on one secret, then write its row
    resync       every five minutes: compare the index with the secrets that carry the fleet's tag

`core` decides, `aws` acts, and the modules of this folder put them together.
"""
