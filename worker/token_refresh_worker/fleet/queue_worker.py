"""The worker's side of the queue: one run for each message, and one report for each run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from token_refresh.errors import ConfigurationError, InvalidEvent, SecretStoreUnavailable, TokenRefreshError
from token_refresh.stored.json_object import read_object
from token_refresh_worker.adapters.telemetry import EVERYTHING, open_log
from token_refresh_worker.bootstrap import open_secret, secrets_manager_client
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.fleet.core.outcome import Ran
from token_refresh_worker.fleet.settings import read_fleet_settings
from token_refresh_worker.fleet.worker import Crew, find_member, provider_of, report
from token_refresh_worker.run.events import Trigger, is_queue_event, read_event, read_messages
from token_refresh_worker.run.failures import SecretName, no_value
from token_refresh_worker.run.outcome import Outcome, RunFacts
from token_refresh_worker.run.settings import GENERIC_PROVIDER

READ_SECONDS = 15.0
"""How long the first read of a new member may take."""


class Invocation(Protocol):
    """One run, as the handler makes it."""

    request_id: str | None
    due_before: datetime | None

    def execute(
        self, start: Callable[[], tuple[Trigger, Mapping[str, str]]], *, secret_id: str | None = None
    ) -> Outcome | TokenRefreshError:
        """Run, and write the last log line."""

    def facts(self, began_at: datetime) -> RunFacts:
        """Give what the run learned."""


def run_event(event: object, invocation: Callable[[str], Invocation]) -> dict[str, Any] | TokenRefreshError:
    """Run on the secrets of a batch, or on the one that an on-demand event names.

    A batch never fails: the index repeats what failed, with a backoff that the queue does not have. What crashes is
    left to the queue, and after three times to its dead-letter queue.

    Args:
        event: The batch or the on-demand event.
        invocation: Makes a run of the fleet that it is given.
    """
    try:
        settings = read_fleet_settings(os.environ)
        crew = Crew(
            fleet=settings.name,
            index=settings.index(),
            bus=settings.bus(),
            log=open_log(EVERYTHING, fleet=settings.name),
            read_document=_read_fields,
        )
        if is_queue_event(event):
            # One in production (batch size 1); more would run one after the other.
            for trigger in read_messages(event):
                run_member(crew, trigger, invocation(settings.name))
            return {"batchItemFailures": []}
        return _run_on_demand(crew, read_event(event), invocation(settings.name))
    except Exception as error:  # noqa: BLE001 - a malformed row or response raises whatever its reader meets
        return invocation_failure(error, invocation)


def invocation_failure(error: Exception, invocation: Callable[[str], Invocation]) -> TokenRefreshError:
    """Log and name an error that no run could log, since none began."""
    return _failed(invocation(os.environ.get("FLEET_NAME", "")), error)


def _failed(run: Invocation, error: Exception, *, secret_id: str | None = None) -> TokenRefreshError:
    def fail() -> tuple[Trigger, Mapping[str, str]]:
        raise error

    ended = run.execute(fail, secret_id=secret_id)
    assert isinstance(ended, TokenRefreshError)  # noqa: S101 - `fail` always raises
    return ended


def _run_on_demand(crew: Crew, trigger: Trigger, invocation: Invocation) -> dict[str, Any] | TokenRefreshError:
    if trigger.secret_id is None:
        raise InvalidEvent("in a fleet the event must name a secret: secret_id, its complete ARN")
    ended = run_member(crew, trigger, invocation)
    if ended is None:
        where = f"--fleet {crew.fleet} --region {secrets_manager_client().meta.region_name}"
        raise ConfigurationError(
            f"secret {trigger.secret_id} is not in fleet {crew.fleet}, or it is paused. Use its complete ARN, and add "
            f"it with `token-refresh fleet add {trigger.secret_id} {where}`, or resume it with "
            f"`token-refresh fleet resume --secret {trigger.secret_id} {where}`"
        )
    return ended.as_result(invocation.request_id) if isinstance(ended, Outcome) else ended


def run_member(crew: Crew, trigger: Trigger, invocation: Invocation) -> Outcome | TokenRefreshError | None:
    """Run on one member and report; None if it is none, or held up."""
    secret_arn = trigger.secret_id or ""
    try:
        entry = find_member(crew, secret_arn, heeds_breaker=trigger.name == "fleet" and not trigger.probe)
    except SecretStoreUnavailable as error:
        # The row stays due. The queue would hold up the whole group until it shows the message again.
        return _failed(invocation, error, secret_id=secret_arn)
    if entry is None:
        return None

    def start() -> tuple[Trigger, Mapping[str, str]]:
        default = os.environ.get("PROVIDER") or GENERIC_PROVIDER
        # Inside of the run: a read that fails is this secret's failure, with its last log line and its row.
        provider = provider_of(entry, lambda: crew.read_document(secret_arn), default)
        return trigger, {**os.environ, "TOKEN_SECRET_ID": secret_arn, "PROVIDER": provider}

    invocation.due_before = entry.row.seen.due_at if entry.row.seen else None
    ended = invocation.execute(start, secret_id=secret_arn)
    # A dry run's row would put off the run that it stands for.
    if not trigger.dry_run:
        report(crew, entry.row, _ran(ended, invocation.facts(entry.read_at)))
    return ended


def _ran(ended: Outcome | TokenRefreshError, facts: RunFacts) -> Ran:
    if isinstance(ended, Outcome):
        return Ran(**asdict(facts), outcome=ended.name.value, retry_at=ended.retry_at)
    return Ran(**asdict(facts), outcome=None, error_type=type(ended).__name__)


def _read_fields(secret_arn: str) -> Mapping[str, object]:
    """Read the document of a new member, whose provider nobody knows yet."""
    client = secrets_manager_client()
    version = open_secret(client, secret_arn, time_left_seconds=READ_SECONDS).read(label=CURRENT)
    if version is None or version.value is None:
        raise no_value(SecretName(secret_id=secret_arn, region=client.meta.region_name))
    # Not as a token document: whether it needs a refresh token depends on its provider.
    return read_object(version.value, f"secret {secret_arn}")
