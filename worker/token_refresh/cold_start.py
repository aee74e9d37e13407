"""Keep the garbage collector out of the cold start: while modules are loaded, nothing is garbage yet.

The handler imports this before all else, and ends it with its first invocation. `scripts/bench worker` measures it.
"""

import gc

gc.disable()


def over() -> None:
    """Let the garbage collector work as usual from here on."""
    gc.enable()
