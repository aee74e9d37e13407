"""Python's garbage collector, off during a cold start: it frees nothing there.

That saves 0.06 of the straightforward handler's cold start where nothing is due, and 0.09 where a refresh is
(`scripts/bench worker`): with the collector on, both miss their limits. The handler imports this module before all that
is large.
"""

import gc

gc.disable()


def end() -> None:
    """Turn the collector on, after the first event. It skips every object made before that."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
