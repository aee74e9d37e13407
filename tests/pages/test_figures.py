"""Figures and waits that pages state are the code's.

Who changes a constant finds here the sentences that are wrong then.
"""

import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from benchmarks.reader import FIFTY
from demos.events import _JUST_DUE_HOURS as JUST_DUE_HOURS
from demos.events import _LATER_HOURS as LATER_HOURS
from demos.events import EVENTS, Ending
from pages.parts.cost import RUNS
from pages.parts.fleet_cost import SECRET, SECRETS_MANAGER_CALL
from pages.parts.profiles import KEPT
from proof.mutants import MUTANTS
from testbed.builders import DAY, HOUR, MINUTE, NOW, attempt, document, policy
from token_refresh.reader.fetch import FETCH_SECONDS
from token_refresh.reader.lifetimes import LONGEST_RETRY_SECONDS
from token_refresh.reader.on_demand import FORCED_PAUSES_SECONDS, PAUSE_SECONDS, YOUNG_SECONDS
from token_refresh.reader.pauses import LONGEST_EMPTY_SECONDS
from token_refresh.reader.secrets import DEFAULT_TTL
from token_refresh.reader.sources.secrets_manager import SECRETS_AT_ONCE
from token_refresh.reader.token import LONGEST_KEPT_SECONDS, REMEMBERED_LEADS
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, LARGEST_PART, SEEN_AFTER, refresh_window
from token_refresh.stored.times import LATEST_SECONDS
from token_refresh.testing.fakes import LIFETIME as FAKE_LIFETIME
from token_refresh.webhooks.lambda_http import RETRY_AFTER_SECONDS
from token_refresh.webhooks.queues import EventBus, SqsQueue
from token_refresh.webhooks.verifier import DEFAULT_TOLERANCE
from token_refresh_admin.changes.authorization_request import EXTRA_VALUE
from token_refresh_admin.changes.authorize import REDIRECTS_A_DAY
from token_refresh_admin.changes.change import TRIES, WAIT_SECONDS
from token_refresh_admin.cli.finding import Health
from token_refresh_admin.cli.membership import RECOVERY_DAYS
from token_refresh_admin.cli.redirect import _CONNECTION_SECONDS as CONNECTION_SECONDS
from token_refresh_admin.cli.redirect import _MOST_CONNECTIONS as MOST_CONNECTIONS
from token_refresh_admin.cli.redirect import DEFAULT_REDIRECT_URI, default_redirect_uri
from token_refresh_admin.cli.surroundings import FOREIGN_SHOWN
from token_refresh_infra.common import SHORTEST_FLAT_FAMILY
from token_refresh_infra.constructs.alarms import ONCE
from token_refresh_infra.context import read_parameters
from token_refresh_infra.fleet import alarms as fleet_alarms
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_infra.webhooks import alarms
from token_refresh_infra.webhooks.receiver import LIMIT_BYTES, RECEIVES_BEFORE_DEAD, WebhookReceiver
from token_refresh_worker.adapters.time_limit import CONNECT_SECONDS
from token_refresh_worker.core import schedule
from token_refresh_worker.core.attempts import CLOCK_ERROR, MOST_REDEMPTIONS, NO_TOKEN, Fate
from token_refresh_worker.core.claims import LONGEST_PAUSE, LONGEST_TIME_TO_LIVE
from token_refresh_worker.core.plan import LOST_CLAIMS, RULES
from token_refresh_worker.fleet.core import breaker
from token_refresh_worker.fleet.core.dispatch import RATE_SHARE, SILENT_AFTER
from token_refresh_worker.fleet.core.enrolment import BELIEVABLE_LOSS, STALE, TOMBSTONE_LIFE
from token_refresh_worker.fleet.core.fleet import DOUBLINGS, FEW, FIRST_WAIT, OTHER_FUNCTIONS, Limits
from token_refresh_worker.fleet.core.gauges import FEW_A_DAY, NEW_FOR, SMALL
from token_refresh_worker.fleet.core.messages import PERCENT as GROUPS_PERCENT
from token_refresh_worker.fleet.core.row import LONGEST_FLEET_PAUSE, LONGEST_SLEEP
from token_refresh_worker.oauth.response import BODY_LIMIT_BYTES
from token_refresh_worker.oauth.unread import MOST_BYTES
from token_refresh_worker.providers import lifetime
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import NOTICE
from token_refresh_worker.providers.redirect import Loopback
from token_refresh_worker.run.ports import KEEP_RESERVE_SECONDS, REQUEST_TIMEOUT_SECONDS, STORE_RESERVE_SECONDS
from token_refresh_worker.run.request_sender import REQUESTS, SOON_SECONDS
from token_refresh_worker.run.version_capacity import PLACES
from token_refresh_worker.stored.origin import LONGEST_GRACE, LONGEST_NOTICE, ClaimStoreKind
from webhooks.test_flood import LOGGED_BYTES, MEBIBYTE

ROOT = Path(__file__).parents[2]
SECOND: Final = timedelta(seconds=1)


def said(duration: timedelta | float) -> str:
    """Say a duration as pages do; a bare number is in seconds."""
    length = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
    names = {SECOND: "a second", MINUTE: "a minute", HOUR: "an hour", DAY: "a day"}
    units = {DAY: "days", HOUR: "hours", MINUTE: "minutes", SECOND: "seconds"}
    unit = next(unit for unit in units if length >= unit and length % unit < timedelta(microseconds=1))
    return names.get(length) or f"{length / unit:g} {units[unit]}"


def count(number: float) -> str:
    """Return a small number as a word."""
    words = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[int(number) - 1]


PART: Final = {1 / 3: "a third", 1 / 2: "half"}
VERSIONS, TABLE = ClaimStoreKind.VERSIONS, ClaimStoreKind.TABLE
IN_VERSIONS, IN_TABLE = (f"{lifetime.shortest_lifetime(store) / MINUTE:g}" for store in (VERSIONS, TABLE))
OF_XERO = load_provider("xero").access_token_lifetime or DAY
OF_XERO_A_DAY = DAY / (OF_XERO - refresh_window(DEFAULT_WINDOW, OF_XERO))
REFRESHES_A_MONTH = 30 * DAY // (DAY - refresh_window(DEFAULT_WINDOW, DAY))
A_DAY, AN_HOUR, HALF_AN_HOUR = (
    read_parameters(
        SingleParameters, {"environment": "prod", "token_lifetime_seconds": lifetime // timedelta(seconds=1)} | more
    )
    for lifetime, more in ((DAY, {}), (HOUR, {}), (HOUR / 2, {"claim_table": "create"}))
)
LEFT_OF_A_DAY, LEFT_OF_AN_HOUR = (
    # The first run that is due comes so late at most, is rejected, and CloudWatch sees it.
    one.alarm_timing.window_seconds - one.longest_gap_seconds - SEEN_AFTER.seconds
    for one in (A_DAY, AN_HOUR)
)
SILENT_FOR = A_DAY.alarm_timing.silence.periods * A_DAY.alarm_timing.silence.period_seconds
STATUSES = ("healthy", "needs attention soon", "broken", "unknown")
RESYNCED = re.findall(r'self.resync, "(\d+ minutes)"', (ROOT / "infra/token_refresh_infra/fleet/stack.py").read_text())[
    0
]
RECEIVER = {name: option.default for name, option in inspect.signature(WebhookReceiver.__init__).parameters.items()}
CALLS = 10_000 * SECRETS_MANAGER_CALL
UNCUT = (
    -(
        -(timedelta(seconds=A_DAY.timeout_seconds) + schedule.SETTLED)
        / LARGEST_PART
        / schedule.LARGEST_PART_OF_WINDOW
        // MINUTE
    )
    * MINUTE
)
"""Tokens that live as long have claims that no window cuts."""
REJECTED = attempt(fate=Fate.REJECTED, claimed_at=NOW)
RETRIED, RETRIED_AGAIN = (
    said(schedule.rejection_retried_at(rejections, document(expires_at=None), policy()) - NOW)
    for rejections in ([REJECTED], [REJECTED, REJECTED])
)

CAREFUL, CLAIMING, WORKER = (
    count(sum(event.expected[contestant] is Ending.LOST for event in EVENTS)) for contestant in range(3)
)
"""How many grants the demo's three lose, as tests/demos/test_demo.py plays it."""


def length(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text().splitlines())


CAREFUL_LINES = length(ROOT / "scripts" / "benchmarks" / "handlers" / "careful.py")
CLAIMING_LINES = length(ROOT / "examples" / "claiming_handler.py")


SAID = {
    "docs/protocol.md": [
        f"(../examples/claiming_handler.py) shows the idea in {CLAIMING_LINES} lines",
        f"up to {MOST_BYTES / 1024:g} KiB of a response",
        f"where tokens, grant or grace are shorter than {said(UNCUT)}",
        f"keeps {DAY / HOUR:g} hours, the last {MOST_REDEMPTIONS} possible redemptions",
        f"A fingerprint is {len(NO_TOKEN)} characters",
        f"is sent again after {RETRIED}, then after {RETRIED_AGAIN}, and when",
        f"takes {lifetime.VERSIONS_A_CLAIM[VERSIONS]} versions, so {DAY / HOUR:g} hours have room for ",
        f"{DAY / HOUR:g} hours have room for {lifetime.claims_a_day(VERSIONS)}.",
        f"{DAY / HOUR:g} hours have room for {lifetime.claims_a_day(TABLE)}.",
        f"Claims of the last {DAY / HOUR:g} hours take",
        f"only as claims reach {DAY / HOUR:g} hours",
        f"the next {LOST_CLAIMS} claims that the table may have held",
        f"or it is {said(schedule.SETTLED)} old",
        f"at most {PART[LARGEST_PART]} of the lifetime",
        f"the last third of the grant's life (at most {schedule.LONGEST_GRANT_WINDOW // DAY}⅓ days)",
        f"outlives its run by {said(schedule.SETTLED)}: reads may be {said(schedule.STALENESS)} old",
        f"and clocks of AWS {said(schedule.CLOCKS_APART)} apart",
        f"at most {schedule.LARGEST_PART_OF_WINDOW:.0%} of the window and, if",
        f"if the grace is longer than {said(schedule.SETTLED)}, at most a quarter of the grace",
        f"always lasts {said(schedule.LEAST_MARGIN)} longer than its run",
        f"may force {schedule.FORCED_CLAIMS_A_DAY} claims in {DAY / HOUR:g} hours",
        f"then {said(schedule.FIRST_BACKOFF)}, doubled each time up to {said(schedule.LONGEST_BACKOFF)}",
        f"the first {schedule.ATTEMPTS_IN_TABLE} attempts that redeemed nothing",
        f"that redeemed nothing wait at most {said(schedule.LONGEST_BACKOFF_IN_TABLE)}",
        f"`Retry-After` counts for at most {said(DAY)}",
        f"At most {REQUESTS} requests a run",
        f"A request gets {said(REQUEST_TIMEOUT_SECONDS)} (",
        f"but {said(STORE_RESERVE_SECONDS)} for storing, or {KEEP_RESERVE_SECONDS:g} with a key",
        f"No connection after {said(CONNECT_SECONDS)}",
        f"counts as a claim of {said(LONGEST_TIME_TO_LIVE)}, then as",
        f"over {said(CLOCK_ERROR)} ahead of `Date`",
        f"A record that asks to wait for over {said(DAY)}",
        f"for at most {said(SOON_SECONDS)}.",
        f"Reads may lag until {said(schedule.SETTLED)} after",
        f"yield until the document is {said(schedule.SETTLED)} old",
        f"which is open for {said(LONGEST_TIME_TO_LIVE)}",
        f"(a static token: {said(LONGEST_GRACE)})",
        f"runs remember for {said(DAY)} how much was left then",
    ],
    "docs/configuration.md": [
        f"at most {schedule.LONGEST_PERIOD.seconds}.",
        f"In {DAY / HOUR:g} hours, at most {schedule.FORCED_CLAIMS_A_DAY} forced runs may store a claim",
        f"over {schedule.LIFETIMES_DOUBTED} lifetimes after that",
        f"What `tokenRefresh` dates over {said(CLOCK_ERROR)} after that",
        f"it is held for a lifetime ({said(DAY)} if nobody knows it)",
        f"a lifetime over {lifetime.LIFETIMES_STATED} documented lifetimes",
        f"exactly {lifetime.MILLISECONDS:,} times the previous one is read as milliseconds",
        f"Over {lifetime.LIFETIMES_REMARKABLE}, the log has the warning",
        "ends in less than {:g} minutes, or {:g} with claims in a table".format(
            *(lifetime.shortest_lifetime(store) / MINUTE for store in (VERSIONS, TABLE))
        ),
    ],
    "docs/operations.md": [
        f"(a 24-hour token has {said(A_DAY.alarm_timing.overdue_below_seconds)} left)",
        f"between two scheduled runs, {said(A_DAY.longest_gap_seconds)} by default",
        f"no run started for {said(SILENT_FOR)} (with the default schedule)",
        f"a {DAY / HOUR:g}-hour token then has some {LEFT_OF_A_DAY // 3600} hours left",
        f"and a one-hour token at least {LEFT_OF_AN_HOUR // 60} minutes",
        f"it holds {PLACES} versions of the last {DAY / HOUR:g} hours",
        f"count such sets for {said(FOREIGN_SHOWN)}",
        ", ".join(f"{status} {word}" for status, word in zip(Health, STATUSES, strict=True)),
    ],
    "docs/maintain.md": [
        f"ends by itself, after {said(LONGEST_PAUSE)} at the latest",
        f"may be redeeming, {said(TRIES * WAIT_SECONDS)} at most",
    ],
    "docs/deploy.md": [
        f"at least {IN_VERSIONS} minutes with claims in the secret",
        f"at least {IN_TABLE} minutes with claims in a table",
        f"of which {REFRESHES_A_MONTH} refresh a 24-hour token {said(DEFAULT_WINDOW)} before it expires",
        f"+ {REFRESHES_A_MONTH} refreshes",
        f"A month has {RUNS:,} runs, of which {REFRESHES_A_MONTH} refresh a 24-hour token",
        f"keeps about {PLACES} and deletes none within {DAY / HOUR:g} hours",
    ],
    "docs/parameters.md": [
        f"at most {PART[LARGEST_PART]} of its life. Default: the profile's, else {DEFAULT_WINDOW.seconds}",
        f"else {A_DAY.lifetime_seconds} for schedule and alarms",
        f"Time limit of one token request. Default: {REQUEST_TIMEOUT_SECONDS:g};",
        f"Default: {A_DAY.run_every_minutes} for a day's tokens, {AN_HOUR.run_every_minutes} for an hour's,",
        f"{HALF_AN_HOUR.run_every_minutes} for half an hour's",
        f"Default: {A_DAY.start_within_minutes} for a day's tokens, {AN_HOUR.start_within_minutes} for an hour's",
    ],
    "docs/tutorial.md": [
        f"refreshed {count(refresh_window(DEFAULT_WINDOW, DAY) / HOUR)} hours before it expires",
        f"whose access tokens live less than {IN_VERSIONS} minutes need it",
        DEFAULT_REDIRECT_URI,
        f"HubSpot register `{default_redirect_uri(Loopback.LOCALHOST)}`",
    ],
    "docs/proof.md": [
        f"of a secret's {PLACES} versions, runs make at most {lifetime.VERSIONS_A_DAY + 1} in {DAY / HOUR:g} hours",
        f"a grace over {said(schedule.SETTLED)}",
        f"Reads of Secrets Manager are at most **{said(schedule.STALENESS)}** old",
        f"(`Date`, `CreatedDate`, both services) are at most **{said(schedule.CLOCKS_APART)}** apart",
        f"or younger than {DAY / HOUR:g} hours, is kept, and a secret holds {PLACES} versions",
        f"The ledger knows {MOST_REDEMPTIONS} redemptions",
        f"or as documented, or {said(DAY)}",
        f"If tokens live at least {said(UNCUT)}, at most two of these",
    ],
    "README.md": [
        f"at least {IN_VERSIONS} minutes**, or {IN_TABLE} with [claims in a table]",
        f"(docs/compare.md#a-scheduled-handler) ({CAREFUL_LINES} lines)",
        f"[the handler that claims](examples/claiming_handler.py) ({CLAIMING_LINES} lines)",
        f"`scripts/demo` plays {len(EVENTS)} failures",
    ],
    "docs/compare.md": [
        f"(../scripts/benchmarks/handlers/careful.py) has {CAREFUL_LINES} lines",
        f"(../examples/claiming_handler.py) has {CLAIMING_LINES}.",
        f"plays {len(EVENTS)} events",
        f"the careful handler loses {CAREFUL} grants, the one with a claim {CLAIMING}, and this worker {WORKER}",
        "the three lose {}, {} and {}".format(*(count(len(EVENTS) - kept) for kept in KEPT["xero"])),
        f"In all {len(EVENTS)} the {CLAIMING_LINES} lines end as this worker does",
        f"alarm; retries after {RETRIED}, {RETRIED_AGAIN}, and near expiry",
        f"live less than {IN_TABLE} minutes",
        f"when {FIFTY} threads miss at once",
    ],
    "docs/glossary.md": [f"{said(DEFAULT_WINDOW)} of {DAY / HOUR:g}, by default, and at most {PART[LARGEST_PART]}"],
    "docs/events.md": [f"The grant ends within {said(LONGEST_NOTICE)} (", "the last quarter of its life"],
    "docs/mcp.md": [
        "token_lifetime_seconds = 3600 #",  # no metadata says it, and a day is assumed
        f"Without `token_lifetime_seconds`, {said(DAY)} is assumed",
    ],
    "docs/customers.md": [f"The copy stays as it is, and is deleted after {RECOVERY_DAYS} days"],
    "docs/fleet.md": [
        f"Every {RESYNCED} a resync",
        f"a fleet uses {Limits().concurrency + OTHER_FUNCTIONS}:",
        f"One provider gets at most {GROUPS_PERCENT['']} % of the runs",
        f"One-hour tokens are refreshed {DAY / (HOUR - refresh_window(DEFAULT_WINDOW, HOUR)):g} times a day",
        f"24-hour tokens {DAY / (DAY - refresh_window(DEFAULT_WINDOW, DAY)):g} times",
        f"Xero's of {OF_XERO // timedelta(minutes=1)} minutes {OF_XERO_A_DAY:g} times",
        f"Access tokens must live at least {IN_TABLE} minutes",
        f"behind for {said(NEW_FOR)}",
        f"a resync finds it within {said(STALE)}",
        f"Its copy is deleted {RECOVERY_DAYS} days later",
        f"names the secret for some {said(TOMBSTONE_LIFE)}",
        f"shows it for {said(TOMBSTONE_LIFE)}",
        f"lacks more than {count(BELIEVABLE_LOSS)} secrets and more than a fifth of the fleet",
        f"read a member for {said(NEW_FOR)}, one vanished in the last day",
        f"{said(LONGEST_FLEET_PAUSE)} are the most",
        f"at least {count(FEW)} affected secrets ({count(FEW_A_DAY)} for the one-day alarms)",
        f"a fleet of under {SMALL}, each dead grant",
        f"closed, and none has come back after {RETRIED}, the grants are dead",
        f"{RATE_SHARE * 100:g} % of `[rate]` in [its profile]",
        f"responded 429 in the last {said(breaker.RECENTLY)}",
        f"gets {count(breaker.STEP)} runs at once, and {count(breaker.STEP)} more for each success",
        f"the wait grows to {said(breaker.LONGEST_SILENCE)}. Each success allows {count(breaker.STEP)} more runs",
        f"rejected grants closes after {breaker.RUNS} successes in a row",
        f"more than {breaker.BURST} grants of a host, and more than 1 % of its grants, are rejected within "
        + said(breaker.BURST_TIME),
        f"retries one of them each minute for {said(breaker.BURST_TRIED)}",
        f"after {said(FIRST_WAIT)}, then {FIRST_WAIT * 2 / MINUTE:g}, then {FIRST_WAIT * 2**DOUBLINGS / MINUTE:g}",
        f"looks at each secret once {said(LONGEST_SLEEP)}",
        # What docstrings say, of breakers and of alarms.
        f"Half of a host's last {breaker.RUNS} runs (at least {breaker.FEWEST_RUNS})",
        f"its last {breaker.FEWEST_RUNS}, or {breaker.PERCENT_OF_PROVIDER} % of a provider's",
        f"in {said(breaker.MINUTES_OF_PROVIDER)} got no response",
        f"a host's last {breaker.UNKNOWN_IN_A_ROW} runs, or {breaker.PERCENT_OF_PROVIDER} % of a provider's",
        f"rejected over {breaker.BURST} runs in a row within {said(breaker.RECENTLY)}",
        f"In a minute {breaker.SILENT_RUNS} runs did not report and none succeeded",
        f"or {breaker.MANY_SILENT_RUNS} did not report",
        f"refused {count(breaker.STORE_SECRETS)} secrets",
        f"and stored none for {count(breaker.STORE_QUIET / MINUTE)} minutes",
        f"Fewer than {fleet_alarms.OBJECTIVE_PERCENT} %",
        f"1 % of the refreshes were stored over {said(fleet_alarms.STORED_WITHIN_SECONDS)} after",
        f"Over {fleet_alarms.EXPIRED_PERCENT} % of the secrets have an expired token",
        f"Over {fleet_alarms.LEFT_PERCENT} % of the secrets lost their tag within {said(DAY)}",
        f"{ONCE.threshold / 2:g} % of the grants died within an hour",
        f"{ONCE.threshold / 2:g} % of the secrets came into state `error` within an hour",
        f"or {ONCE.threshold:g} % within {said(DAY)}",
        f"stored no secret for {count(breaker.STORE_QUIET / MINUTE)} minutes",
        f"only {count(breaker.STORE_PROBES)} runs a minute try",
        f"none has reported for {count(SILENT_AFTER / MINUTE)} minutes",
        f"hold back over {fleet_alarms.HELD_BACK_PERCENT} % of the secrets",
        f"{count(fleet_alarms.CRASHES_OF_ONE_SECRET + 1).capitalize()} runs crashed",
    ],
    "SECURITY.md": [
        f"with false times for {said(LONGEST_SLEEP)}, with false pauses for {said(LONGEST_FLEET_PAUSE)}",
        f"an open claim for {said(LONGEST_TIME_TO_LIVE)}, a rejection for {RETRIED} and then {RETRIED_AGAIN}",
        f"a pause for {said(LONGEST_PAUSE)}, claims that use up the daily limit for {DAY / HOUR:g} hours",
        f"up to {MOST_BYTES / 1024:g} KiB of what a provider sent",
    ],
    "docs/threats.md": [
        f"then waits for {said(FORCED_PAUSES_SECONDS[0])}, and longer",
        f"a token older than {said(YOUNG_SECONDS)}",
        f"a day has {lifetime.claims_a_day(VERSIONS)} claims ({lifetime.claims_a_day(TABLE)} in a table)",
        f"in a table), {schedule.FORCED_CLAIMS_A_DAY} of them",
        f"lacks over {count(BELIEVABLE_LOSS)} secrets and a fifth of the fleet",
        f"at most {BODY_LIMIT_BYTES / 1024:g} KiB",
        f"signed over {said(DEFAULT_TOLERANCE)} ago",
        f"a secret takes {count(REDIRECTS_A_DAY)} a day",
        f"each has {said(CONNECTION_SECONDS)}, and of over {MOST_CONNECTIONS} the oldest",
    ],
    "docs/amplify.md": [f"reads the signing secret once, and again after {said(DEFAULT_TTL)}"],
    "docs/other-languages.md": [f"Unix seconds below 10^{len(str(LATEST_SECONDS)) - 1}, milliseconds from there on"],
    "docs/other-secrets.md": [
        f"one BatchGetSecretValue for up to {SECRETS_AT_ONCE}",
        f"the TTL ({said(DEFAULT_TTL)} by default)",
        f"reads a secret about {round(DAY / DEFAULT_TTL, -1):g} times a day at most",
        f"is noticed within {said(LONGEST_RETRY_SECONDS)}",
    ],
    "docs/providers.md": [
        f"From {NOTICE.days} days before a provider ends",
        f"another value than `{EXTRA_VALUE.pattern}`",
    ],
    "docs/reader.md": [
        f"it raises the last error again for up to {LONGEST_EMPTY_SECONDS:g} s before it reads again",
        f"invokes the worker, at most once {said(PAUSE_SECONDS)}",
        f"rejects the current token, and this one is older than {said(YOUNG_SECONDS)}",
        f"the reader needs {count(REMEMBERED_LEADS)} refreshes",
        f"forces none for {said(FORCED_PAUSES_SECONDS[0])}, and if the API",
        f"for {FORCED_PAUSES_SECONDS[1] / 3600:g} and then {said(FORCED_PAUSES_SECONDS[2])}.",
        f"none is kept for over {said(LONGEST_KEPT_SECONDS)} without a read",
        f"wait for a read for at most {FETCH_SECONDS:g} s",
    ],
    "docs/testing.md": [f"A token lives {FAKE_LIFETIME // HOUR} hours unless"],
    "docs/webhooks.md": [
        f"a timeout of {RECEIVER['consumer_timeout_seconds']} s at most",
        f"It needs {RECEIVER['memory_mb']} MB",
        f"signed over {said(DEFAULT_TOLERANCE)} ago, or over {said(DEFAULT_TOLERANCE)} in the future",
        f"`Retry-After: {RETRY_AFTER_SECONDS}`",
        f"{min(LIMIT_BYTES, SqsQueue.limit_bytes) // MEBIBYTE} MiB with its envelope",
        f"Each delivery is one event, under {EventBus.limit_bytes // 1_000_000} MB",
        f"Wait {said(DEFAULT_TTL)}. Each receiver",
        f"at most {LOGGED_BYTES:,} bytes to the log",
        f"Over {alarms.REFUSED_PER_FIVE_MINUTES} requests in five minutes",
        f"Over {alarms.NOT_VERIFIED_PER_FIVE_MINUTES} deliveries in five minutes",
        f"waited for over {said(alarms.OLDEST_MESSAGE_SECONDS)}",
        f"The consumer failed {count(RECEIVES_BEFORE_DEAD)} times",
    ],
    "docs/when-to-use-what.md": [
        f"a secret costs {SECRET:.2f} USD a month, and 10,000 calls cost {CALLS:.2f} USD",
        f"5 x {SECRET:.2f} + 10 x {CALLS:.2f} = {5 * SECRET + 10 * CALLS:.2f} USD",
        f"100 x {CALLS:.2f} = {100 * CALLS:.2f} USD",
        f"at 5 %, 50,000 calls and {5 * CALLS:.2f} USD",
        f"in `-` after at least {count(SHORTEST_FLAT_FAMILY)} characters",
        f"the reader reads again after {DEFAULT_TTL.seconds} s",
    ],
    "scripts/demos/contest.py": [f"one within {count(1 + LATER_HOURS)} hours went on"],
    "scripts/demos/events.py": [
        f"one {count(LATER_HOURS)} hours later goes on",
        f"= {JUST_DUE_HOURS} # An access token lives for {DAY / HOUR:g} h",
        f"and is due {DEFAULT_WINDOW / HOUR:g} h before its end",
    ],
}
"""The sentences by page, or by the file that prints them."""


@pytest.mark.parametrize("page", SAID)
def test_a_page_says_what_the_code_does(page: str) -> None:
    """Each sentence stands on its page, with the figure that counts."""
    words = " ".join((ROOT / page).read_text().split())

    assert [] == [sentence for sentence in SAID[page] if sentence not in words]


def test_the_proof_names_the_rules_without_a_planted_bug() -> None:
    """Of each other rule, the search is shown a worker that lacks it; the last one is what is left."""
    planted = {mutant.name for mutant in MUTANTS}
    rules = [number for number in range(1, len(RULES)) if f"row {number} left out" not in planted]

    assert f"Rules {' and '.join(map(str, rules))} have no planted bug" in (ROOT / "docs" / "proof.md").read_text()


def test_the_first_hour_is_as_short_as_it_says() -> None:
    """The files that answer the task are a quarter of the worker's Python."""
    page = (ROOT / "worker" / "README.md").read_text()
    worker = ROOT / "worker" / "token_refresh_worker"
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    read = {worker / name for row in rows for name in named_in(row)}

    assert 1 / 4 == pytest.approx(sum(map(length, read)) / sum(map(length, worker.rglob("*.py"))), abs=0.03)
    assert "These files are a quarter of the worker's Python." in page


def test_the_tests_that_a_page_names_exist() -> None:
    """Each path that docs/architecture.md gives to `scripts/test` is there."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    paths = {path for row in re.findall(r"`(tests/[^`]+)`", page) for path in row.split()}

    assert [] == [path for path in sorted(paths) if not (ROOT / path).exists()]
    assert "tests/infra/test_alarms.py" in paths


def named_in(row: str) -> list[str]:
    """Return the Python files of a row."""
    return re.findall(r"`([\w/]+\.py)`", row)


@pytest.mark.parametrize("provider", ["hubspot", "servicenow", "xero"])
def test_the_tutorial_names_short_lives(provider: str) -> None:
    """The providers that it names need claims in a table."""
    lives = load_provider(provider).access_token_lifetime

    assert lives is not None
    assert lifetime.shortest_lifetime(TABLE) <= lives < lifetime.shortest_lifetime(VERSIONS)
