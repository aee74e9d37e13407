"""The worker: one run for each message of the queue, and one report for each run.

The run itself is that of a single secret, with an environment in which the secret and its provider are filled in.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any, Final, NoReturn, TypeVar

from token_refresh.errors import ConfigurationError, InvalidEvent, TableUnavailable, TokenRefreshError
from token_refresh.stored.json_object import read_object
from token_refresh_worker.adapters.telemetry import EVERYTHING, open_log
from token_refresh_worker.bootstrap import SystemClock, aws_client, open_secret
from token_refresh_worker.core.versions import CURRENT, is_redirect_note
from token_refresh_worker.fleet.aws.index import IndexEntry, TableIndex
from token_refresh_worker.fleet.core.breaker import holds_back
from token_refresh_worker.fleet.core.outcome import after, announcement, in_order
from token_refresh_worker.fleet.core.row import UNKNOWN_PROVIDER, Pause, Row, is_due, pause_of_row
from token_refresh_worker.fleet.settings import read_fleet_settings
from token_refresh_worker.providers.variables import provider_named_in
from token_refresh_worker.run.events import Trigger, is_queue_event, read_event, read_messages
from token_refresh_worker.run.failures import SecretName, no_value
from token_refresh_worker.run.invocation import Invocation
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.run.ports import Clock, Log, SendEvent
from token_refresh_worker.run.retry import repeat
from token_refresh_worker.run.settings import GENERIC_PROVIDER

TAKEN_EVERY: Final = timedelta(seconds=20)
"""How often all workers together note that Secrets Manager took tokens, unless it has refused some since."""
REPORT_SECONDS: Final = 5.0
"""How long a report is repeated where the table does not take it. One that is lost costs its secret six minutes."""
READ_SECONDS: Final = 15.0
"""How long the first read of a new member may take."""

T = TypeVar("T")
OpenInvocation = Callable[[str | None], Invocation]
"""Begins a run of a fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetWorkerDependencies:
    """What a worker of a fleet acts with."""

    fleet: str
    index: TableIndex
    send_event: SendEvent | None
    log: Log
    read_document: Callable[[str], Mapping[str, object]]
    """Reads the document of a new member, whose provider nobody knows yet."""
    chance: Callable[[], float] = SystemRandom().random
    clock: Clock = field(default_factory=SystemClock)


def run_event(event: object, open_invocation: OpenInvocation) -> Outcome | dict[str, Any]:
    """Run on the secrets of a batch, or on the one that an on-demand event names.

    A batch never fails: the index repeats what failed, with a backoff that the queue does not have. A message is
    received once: what crashed is a dead letter, and the index hands its secret out again.
    """
    try:
        settings = read_fleet_settings(os.environ)
        crew = FleetWorkerDependencies(
            fleet=settings.name,
            index=settings.index(),
            send_event=settings.bus(),
            log=open_log(EVERYTHING, fleet=settings.name),
            read_document=_read_fields,
        )
        if is_queue_event(event):
            # One in production (batch size 1); more would run one after the other.
            for trigger in read_messages(event):
                run_member(crew, trigger, open_invocation(settings.name))
            return {"batchItemFailures": []}
        return _run_on_demand(crew, read_event(event), open_invocation(settings.name))
    except Exception as error:  # noqa: BLE001 - a malformed row or response raises whatever its reader meets
        # No run could log it, since none began.
        return _failed(open_invocation(os.environ.get("FLEET_NAME")), error)


def _failed(invocation: Invocation, error: Exception, *, secret_id: str | None = None) -> Outcome:
    def fail() -> NoReturn:
        raise error

    return invocation.run(fail, secret_id=secret_id)


def _run_on_demand(crew: FleetWorkerDependencies, trigger: Trigger, invocation: Invocation) -> Outcome:
    if trigger.secret_id is None:
        raise InvalidEvent("in a fleet the event must name a secret: secret_id, its complete ARN")
    run = run_member(crew, trigger, invocation)
    if run is None:
        secret = SecretName(secret_id=trigger.secret_id, region=aws_client("secretsmanager").meta.region_name)
        raise ConfigurationError(
            f"secret {trigger.secret_id} is not in fleet {crew.fleet}, or it is paused",
            fix=(
                *("Use its complete ARN, and add it with ", secret.join(crew.fleet)),
                *(", or resume it with ", secret.command("resume")),
            ),
        )
    return run


def run_member(crew: FleetWorkerDependencies, trigger: Trigger, invocation: Invocation) -> Outcome | None:
    """Run on one member and report; None if it is none, or held up."""
    secret_arn = trigger.secret_id or ""
    try:
        heeds_breakers = trigger.name == "fleet" and not trigger.probe
        becomes_due = trigger.name == "on_demand" and not trigger.dry_run
        entry = find_member(crew, secret_arn, heeds_breakers=heeds_breakers, becomes_due=becomes_due)
    except TableUnavailable as error:
        # The row stays due. The queue would hold up the whole group until it shows the message again.
        return _failed(invocation, error, secret_id=secret_arn)
    if entry is None:
        return None
    asked, trigger = trigger, fitted(trigger, entry.row, entry.read_at)

    def start() -> tuple[Trigger, Mapping[str, str]]:
        default = os.environ.get("PROVIDER") or GENERIC_PROVIDER
        # Inside of the run: a read that fails is this secret's failure, with its last log line and its row.
        provider = provider_of(entry, lambda: crew.read_document(secret_arn), default)
        return trigger, {**os.environ, "TOKEN_SECRET_ID": secret_arn, "PROVIDER": provider}

    run = invocation.run(start, secret_id=secret_arn, due_before=entry.row.tokens.due_at)
    # The row of a person's dry run would put off the run that it stands for.
    if not asked.dry_run:
        report(crew, entry, run)
        tell_store(crew, entry, run)
    return run


def find_member(
    crew: FleetWorkerDependencies, secret_arn: str, *, heeds_breakers: bool = False, becomes_due: bool = False
) -> IndexEntry | None:
    """Return the secret's entry; None if its run must not begin.

    It has left the fleet, or a pause holds it up, or an open breaker if the run `heeds_breakers`. A person's run is on
    any secret, which `becomes_due`: `fleet remove` waits for the runs on what is due, so that they can still store.
    """
    entry = crew.index.entry(secret_arn)
    if entry is None:
        crew.log.warning("fleet_run_skipped", secret_id=secret_arn, reason="not_in_fleet")
        return None
    if pause := pause_of_row(entry.row, entry.pauses, entry.read_at):
        crew.log.info("fleet_run_skipped", secret_id=secret_arn, reason="paused", until=pause.until.isoformat())
        return None
    if heeds_breakers and (entry.store.refuses(entry.read_at) or holds_back(entry.breakers, entry.row)):
        crew.log.info("fleet_run_skipped", secret_id=secret_arn, reason="breaker_open")
        # Another time is another message: the dispatcher need not wait for the end of this one's lease.
        crew.index.look_at(secret_arn, entry.read_at)
        return None
    if becomes_due and not is_due(entry.row, entry.read_at) and not crew.index.look_at(secret_arn, entry.read_at):
        return None
    return entry


def fitted(trigger: Trigger, row: Row, now: datetime) -> Trigger:
    """Return what the dispatcher's message asks for, as the row has it: a person's event stays as it is."""
    if trigger.name != "fleet":
        return trigger
    # Nobody knows where the request would go: the breakers and rates of that place are heeded from the next run on.
    reads = row.host is None
    # Where one request failed, a repetition may succeed; where two did, the host may be dead.
    once = trigger.probe or (row.sent is not None and row.sent.failures > 1)
    # A rejected grant that is handed out before its time: in a burst of them, it is to be sent again.
    return replace(trigger, dry_run=reads, once=once, force=not row.is_living and not is_due(row, now))


def provider_of(entry: IndexEntry, read_document: Callable[[], Mapping[str, object]], default: str) -> str:
    """Name the secret's provider: what the last run found in the document, or what the document says.

    A tag never decides: it would choose the host that gets the refresh token.
    """
    seen, named = entry.row.seen, entry.row.provider
    # After a failure it is in doubt: somebody may have corrected the document's provider, or the deployment's.
    if seen and seen.tokens.version_id and seen.error_type is None and named != UNKNOWN_PROVIDER:
        return named
    return provider_named_in(read_document()) or default


def report(crew: FleetWorkerDependencies, entry: IndexEntry, run: Outcome) -> None:
    """Write the row that a run leaves, and announce what changed. Failures are logged: the tokens are stored."""
    secret_arn = entry.row.secret_arn
    try:
        left = _store_report(crew, entry, run)
        # A late run knows less than the row, so it announces nothing either.
        if left is None:
            crew.log.info("fleet_report_superseded", secret_id=secret_arn)
            return
        if crew.send_event is not None:
            for change in in_order(left.unsent):
                # In this order: a worker that dies in between sends the event twice, and never not at all.
                crew.send_event(announcement(left, change, fleet=crew.fleet))
                crew.index.announced(left.secret_arn, change)
    except TokenRefreshError as error:
        crew.log.warning("fleet_report_failed", secret_id=secret_arn, error_type=type(error).__name__)


def _store_report(crew: FleetWorkerDependencies, entry: IndexEntry, run: Outcome) -> Row | None:
    """Store the row that a run leaves; None if that is superseded."""

    def left_of(before: Row) -> Row:
        refuses = entry.store.refuses(entry.read_at)
        left = after(before, run, began_at=entry.read_at, chance=crew.chance(), store_refuses=refuses)
        if run.paused is not None and run.retry_at is not None:  # It was paused before it joined.
            left = replace(left, pause=Pause(at=entry.read_at, until=run.retry_at, by="somebody", why=run.paused))
        # Where nobody sends events, none may pile up.
        return left if crew.send_event else replace(left, unsent=frozenset())

    def repeated(call: Callable[[], T]) -> T:
        return repeat(call, clock=crew.clock, until=ends, errors=lambda e: isinstance(e, TableUnavailable))

    ends = crew.clock.monotonic() + REPORT_SECONDS
    left = left_of(entry.row)
    if repeated(lambda: crew.index.report(left, over=entry.row)):
        return left
    latest = repeated(lambda: crew.index.entry(left.secret_arn))
    # The response to the first report was lost, and a repeat finds what it wrote.
    if latest is None or latest.row.seen == left.seen:
        return left if latest else None
    if run.paused is not None:  # `resume` may have made it due: the next run knows.
        return None
    # A run that was under way at the same time has reported: what it found is no change any more.
    later = left_of(latest.row)
    return later if repeated(lambda: crew.index.report(later)) else None


def tell_store(crew: FleetWorkerDependencies, entry: IndexEntry, run: Outcome) -> None:
    """Feed the store's breaker: which secrets Secrets Manager refused, and when it last took one.

    Each counts once until it is stored: it may be one secret's own key that is wrong.
    """
    taken = entry.store.taken_at
    try:
        if run.is_refused and not entry.row.is_refused:
            crew.index.note_refused(entry.row.secret_arn)
        elif run.made_current and (entry.store.refused or not taken or entry.read_at - taken >= TAKEN_EVERY):
            crew.index.note_taken(entry.read_at)
    except TokenRefreshError as error:
        secret_arn = entry.row.secret_arn
        crew.log.warning("store_breaker_not_told", secret_id=secret_arn, error_type=type(error).__name__)


def _read_fields(secret_arn: str) -> Mapping[str, object]:
    client = aws_client("secretsmanager")
    version = open_secret(client, secret_arn, time_left_seconds=READ_SECONDS).read(label=CURRENT)
    if version is None or version.value is None or is_redirect_note(version.value):
        raise no_value(SecretName(secret_id=secret_arn, region=client.meta.region_name))
    # Not as a token document: whether it needs a refresh token depends on its provider.
    return read_object(version.value, f"secret {secret_arn}")
