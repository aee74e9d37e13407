"""The rule of the refresh window stands in one place, and the code follows it; for pages see tests/pages."""

import json
import os
import subprocess
import sys
from datetime import timedelta

from testbed.builders import DAY, HOUR, MINUTE, NOW, document, policy
from token_refresh.reader import Token
from token_refresh.reader.token import LONGEST_MARGIN_SECONDS, RefreshPattern
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window
from token_refresh_infra.context import ParameterError, read_parameters
from token_refresh_infra.single.checks import CheckedParameters
from token_refresh_worker.core.schedule import due_at, lifetime_too_short
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.origin import ClaimStoreKind

STORES = list(ClaimStoreKind)

WITH_A_HALF = """
import json
from token_refresh.stored import refresh_window
refresh_window.LARGEST_PART = 1 / 2
from stored.test_refresh_window import measure
print(json.dumps(measure()))
"""


def test_everything_follows_the_rule() -> None:
    """With a half in place of the third, runs, readers, schedules and the shortest lifetimes are others."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(  # noqa: S603 - this very module
        [sys.executable, "-c", WITH_A_HALF], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )

    assert {
        "a run refreshes after": 30,
        "a reader reads again after": 30,
        "a deployment's runs fit in": 30,
        "shortest": [72, 36],
        "accepted by a run": [[False, True]] * 2,
        "deployed": [[False, True]] * 2,
    } == json.loads(found.stdout)


def measure() -> dict[str, object]:
    """Tell what the rule makes of tokens that live an hour, and of lifetimes around the shortest; in minutes."""
    due = due_at(document(issued_at=NOW, expires_at=NOW + HOUR), policy())
    read = Token(value="value", created_at=NOW, expires_at=NOW + HOUR, version_id="one")
    read_at = RefreshPattern().next_read_at(read, now=NOW.timestamp(), chance=0.5) - LONGEST_MARGIN_SECONDS
    around = {store: [shortest_lifetime(store) + timedelta(seconds=more) for more in (-1, 0)] for store in STORES}
    return {
        "a run refreshes after": due and (due - NOW) / MINUTE,
        "a reader reads again after": (read_at - NOW.timestamp()) / 60,
        "a deployment's runs fit in": deployment(HOUR, ClaimStoreKind.TABLE).due_window_seconds / 60,
        "shortest": [shortest_lifetime(store) / MINUTE for store in STORES],
        "accepted by a run": [[fits_run(life, store) for life in lives] for store, lives in around.items()],
        "deployed": [[fits_deployment(life, store) for life in lives] for store, lives in around.items()],
    }


def fits_run(lifetime: timedelta, store: ClaimStoreKind) -> bool:
    return not lifetime_too_short(document(issued_at=NOW, expires_at=NOW + lifetime), policy(claim_store=store))


def fits_deployment(lifetime: timedelta, store: ClaimStoreKind) -> bool:
    try:
        deployment(lifetime, store)
    except ParameterError:
        return False
    return True


def deployment(lifetime: timedelta, store: ClaimStoreKind) -> CheckedParameters:
    table = {"claim_table": "create"} if store is ClaimStoreKind.TABLE else {}
    lives = {"token_lifetime_seconds": round(lifetime.total_seconds())}
    return read_parameters(CheckedParameters, {"environment": "prod"} | table | lives)


def test_a_token_is_used_for_two_thirds_of_its_life_at_least() -> None:
    """The window is as configured, by default 8 hours, and at most a third of the token's life where that is known."""
    assert 8 * HOUR == DEFAULT_WINDOW
    assert 2 * HOUR == refresh_window(2 * HOUR, DAY)
    assert 20 * MINUTE == refresh_window(DEFAULT_WINDOW, HOUR)
    assert 8 * HOUR == refresh_window(DEFAULT_WINDOW, None)
    assert [54 * MINUTE, 27 * MINUTE] == [shortest_lifetime(store) for store in STORES]
