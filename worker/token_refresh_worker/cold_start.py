"""Python's garbage collector, off during a cold start: it frees nothing there, and takes a twelfth of the time.

`scripts/bench worker` shows its worth: with the collector on, a cold start misses its limit. The handler imports this
module before all that is large.
"""

import gc

gc.disable()


def end() -> None:
    """Turn the collector on, after the first event. It never scans what the cold start has made: that stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
