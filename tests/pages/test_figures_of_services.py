"""The figures and waits on the pages for services and for providers are those of the code."""

import inspect
from datetime import timedelta
from pathlib import Path

import pytest

from pages.parts.fleet_cost import SECRET, SECRETS_MANAGER_CALL
from token_refresh.reader import on_demand, pauses, token
from token_refresh.reader.fetch import FETCH_SECONDS
from token_refresh.reader.lifetimes import LONGEST_RETRY_SECONDS
from token_refresh.reader.secrets import DEFAULT_TTL
from token_refresh.reader.sources.secrets_manager import SECRETS_AT_ONCE
from token_refresh.stored.times import LATEST_SECONDS
from token_refresh.testing.fakes import LIFETIME as FAKE_LIFETIME
from token_refresh.webhooks.lambda_http import RETRY_AFTER_SECONDS
from token_refresh.webhooks.queues import EventBus, SqsQueue
from token_refresh.webhooks.verifier import DEFAULT_TOLERANCE
from token_refresh_infra.common import SHORTEST_FLAT_FAMILY
from token_refresh_infra.webhooks import alarms
from token_refresh_infra.webhooks.receiver import LIMIT_BYTES, RECEIVES_BEFORE_DEAD, WebhookReceiver
from token_refresh_worker.changes.authorization_request import EXTRA_VALUE
from token_refresh_worker.providers.provider import NOTICE
from webhooks.test_flood import LOGGED_BYTES, MEBIBYTE

DOCS = Path(__file__).parents[2] / "docs"
MINUTE = timedelta(minutes=1)
NUMBERS = {3: "three", 5: "five", 8: "eight"}
CALLS = 10_000 * SECRETS_MANAGER_CALL
RECEIVER = {name: option.default for name, option in inspect.signature(WebhookReceiver.__init__).parameters.items()}


def minutes(span: timedelta) -> str:
    """Say a span as the pages do: in whole minutes, up to ten in words."""
    count = -(-span // MINUTE)
    return "a minute" if count == 1 else f"{NUMBERS.get(count, count)} minutes"


def seconds(count: float) -> str:
    """Say seconds as minutes."""
    return minutes(timedelta(seconds=count))


SAID = {
    "amplify.md": [f"once for each process and kept for {minutes(DEFAULT_TTL)}"],
    "other-languages.md": [f"Unix seconds below 10^{len(str(LATEST_SECONDS)) - 1}, milliseconds from there on"],
    "other-secrets.md": [
        f"one BatchGetSecretValue for up to {SECRETS_AT_ONCE}",
        f"the TTL ({DEFAULT_TTL // MINUTE} minutes by default)",
        f"reads a secret about {round(timedelta(days=1) / DEFAULT_TTL, -1):g} times a day at most",
        f"is noticed within {LONGEST_RETRY_SECONDS / 60:g} minutes",
    ],
    "providers.md": [
        f"From {NOTICE.days} days before a provider ends",
        f"another value than `{EXTRA_VALUE.pattern}`",
    ],
    "reader.md": [
        f"an error is raised again without a read for up to {pauses.LONGEST_EMPTY_SECONDS:g} s",
        f"invokes the worker, at most once {seconds(on_demand.PAUSE_SECONDS)}",
        f"a token that is older than {seconds(on_demand.YOUNG_SECONDS)}",
        f"takes up a new token within {seconds(1.5 * token.LONGEST_MARGIN_SECONDS)}",
        f"that takes {NUMBERS[token.REMEMBERED_LEADS]} refreshes",
        f"give up a read after {FETCH_SECONDS:g} s",
    ],
    "testing.md": [f"A token lives {FAKE_LIFETIME // timedelta(hours=1)} hours unless"],
    "webhooks.md": [
        f"a timeout of {RECEIVER['consumer_timeout_seconds']} s at most",
        f"It needs {RECEIVER['memory_mb']} MB",
        f"signed over {minutes(DEFAULT_TOLERANCE)} ago",
        f"`Retry-After: {RETRY_AFTER_SECONDS}`",
        f"{min(LIMIT_BYTES, SqsQueue.limit_bytes) // MEBIBYTE} MiB with its envelope",
        f"one event a delivery, under {EventBus.limit_bytes // 1_000_000} MB",
        f"Wait {minutes(DEFAULT_TTL)}. Each receiver",
        f"at most {LOGGED_BYTES:,} bytes to the log",
        f"Over {alarms.REFUSED_PER_FIVE_MINUTES} requests in five minutes",
        f"Over {alarms.NOT_VERIFIED_PER_FIVE_MINUTES} deliveries in five minutes",
        f"waited for over {seconds(alarms.OLDEST_MESSAGE_SECONDS)}",
        f"The consumer failed {NUMBERS[RECEIVES_BEFORE_DEAD]} times",
    ],
    "when-to-use-what.md": [
        f"takes {SECRET:.2f} USD for a secret and month, and {CALLS:.2f} USD for 10,000 calls",
        f"5 x {SECRET:.2f} + 10 x {CALLS:.2f} = {5 * SECRET + 10 * CALLS:.2f} USD",
        f"100 x {CALLS:.2f} = {100 * CALLS:.2f} USD",
        f"at 5 %, 50,000 calls and {5 * CALLS:.2f} USD",
        f"in `-` after at least {NUMBERS[SHORTEST_FLAT_FAMILY]} characters",
        f"it is read again after {DEFAULT_TTL.seconds} s",
    ],
}
"""Each figure in its sentence."""


@pytest.mark.parametrize("page", SAID)
def test_a_page_has_the_figures_of_the_code(page: str) -> None:
    """Who changes a limit or a wait finds here the sentence that is wrong then."""
    words = " ".join((DOCS / page).read_text().split())

    assert [] == [sentence for sentence in SAID[page] if sentence not in words]
