"""Searches in which somebody puts an earlier document back: a second grant is stored, and the first one is dead."""

from dataclasses import replace
from typing import Final

from proof.operators import (
    ANY_BACK,
    AUTHORIZE,
    EDIT,
    EDIT_BARE,
    LABEL_BACK,
    PUT_BACK,
    PUT_BACK_BARE,
    PUT_BACK_SPELLED,
    REAUTHORIZE,
    STRANGE,
)
from proof.world import CLAIM_ENDS, HOUR_PASSES, Budget, scenario

BACK: Final = scenario(
    "put back",
    "ss",
    operator=ANY_BACK,
    jumps=(CLAIM_ENDS,),
    published=True,
    before=3,
    second="by command",
    before_second=1,
)
UNUSED: Final = replace(BACK, name="put back over an unused grant", before_second=0)
BY_HAND: Final = replace(UNUSED, name="put back over a grant stored by hand", second="by hand")
REFUSED: Final = replace(
    BACK,
    name="put back, writes refused",
    claims="table",
    plans=("ss",),
    operator=(PUT_BACK, LABEL_BACK),
    budget=Budget(operator=1, outages=1, jumps=1, crashes=1),
)
FORCED: Final = replace(BACK, name="put back, forced", plans=("sf",))
DYING: Final = replace(
    BACK,
    name="put back, dying",
    operator=(PUT_BACK, LABEL_BACK),
    budget=Budget(operator=1, crashes=1, losses=1, jumps=1),
)

PUT_BACK_SEARCHES: Final = (
    BACK,
    UNUSED,
    BY_HAND,
    FORCED,
    DYING,
    # Who saves one from so far back keeps its time of issue.
    replace(BACK, name="put back far", operator=(PUT_BACK, PUT_BACK_SPELLED, LABEL_BACK), most_redemptions=1),
    replace(BACK, name="put back, paused", plans=("s", "p"), operator=(PUT_BACK, LABEL_BACK)),
    replace(
        BACK,
        name="put back, stale reads",
        operator=(PUT_BACK, LABEL_BACK),
        budget=Budget(operator=1, jumps=1, stale=1),
        stale_depth=8,
    ),
    replace(
        BACK,
        name="put back, false rejections",
        operator=(PUT_BACK, PUT_BACK_BARE, LABEL_BACK),
        budget=Budget(operator=1, jumps=2, false_rejections=1),
        jumps=(HOUR_PASSES, CLAIM_ENDS),
    ),
    replace(BACK, name="put back beside a restore", plans=("s", "x"), operator=(PUT_BACK, LABEL_BACK)),
    replace(
        BACK, name="put back twice", operator=(PUT_BACK, PUT_BACK_BARE, STRANGE, EDIT_BARE), budget=Budget(operator=2)
    ),
    replace(
        BACK,
        name="put back after another grant",
        operator=(PUT_BACK, REAUTHORIZE, AUTHORIZE, EDIT, STRANGE),
        budget=Budget(operator=2, jumps=1),
        before=2,
        second="",
        before_second=0,
    ),
)
