"""The worker's side of the queue: one run for each message, and one report for each run."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError, InvalidEvent, SecretStoreUnavailable, TokenRefreshError
from token_refresh.stored.json_object import read_object
from token_refresh_worker.adapters.telemetry import EVERYTHING, open_log
from token_refresh_worker.bootstrap import open_secret, secrets_manager_client
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.fleet.settings import read_fleet_settings
from token_refresh_worker.fleet.worker import Crew, find_member, provider_of, report
from token_refresh_worker.run.events import Trigger, is_queue_event, read_event, read_messages
from token_refresh_worker.run.failures import SecretName, no_value
from token_refresh_worker.run.invocation import Invocation
from token_refresh_worker.run.outcome import Outcome, RunReport
from token_refresh_worker.run.settings import GENERIC_PROVIDER

READ_SECONDS = 15.0
"""How long the first read of a new member may take."""

OpenInvocation = Callable[[str | None], Invocation]
"""Begins a run of a fleet."""


def run_event(event: object, open_invocation: OpenInvocation) -> Outcome | TokenRefreshError | dict[str, Any]:
    """Run on the secrets of a batch, or on the one that an on-demand event names.

    A batch never fails: the index repeats what failed, with a backoff that the queue does not have. What crashes is
    left to the queue, and after three times to its dead-letter queue.
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
                run_member(crew, trigger, open_invocation(settings.name))
            return {"batchItemFailures": []}
        return _run_on_demand(crew, read_event(event), open_invocation(settings.name))
    except Exception as error:  # noqa: BLE001 - a malformed row or response raises whatever its reader meets
        # No run could log it, since none began.
        return _failed(open_invocation(os.environ.get("FLEET_NAME")), error).ended


def _failed(invocation: Invocation, error: Exception, *, secret_id: str | None = None) -> RunReport:
    def fail() -> NoReturn:
        raise error

    return invocation.run(fail, secret_id=secret_id)


def _run_on_demand(crew: Crew, trigger: Trigger, invocation: Invocation) -> Outcome | TokenRefreshError:
    if trigger.secret_id is None:
        raise InvalidEvent("in a fleet the event must name a secret: secret_id, its complete ARN")
    report = run_member(crew, trigger, invocation)
    if report is None:
        where = crew.fleet, secrets_manager_client().meta.region_name
        add = Command.of("token-refresh fleet add {} --fleet {} --region {}", trigger.secret_id, *where)
        resume = Command.of("token-refresh fleet resume --secret {} --fleet {} --region {}", trigger.secret_id, *where)
        raise ConfigurationError(
            f"secret {trigger.secret_id} is not in fleet {crew.fleet}, or it is paused",
            fix=("Use its complete ARN, and add it with ", add, ", or resume it with ", resume),
        )
    return report.ended


def run_member(crew: Crew, trigger: Trigger, invocation: Invocation) -> RunReport | None:
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

    run = invocation.run(start, secret_id=secret_arn, due_before=entry.row.due_at)
    # A dry run's row would put off the run that it stands for.
    if not trigger.dry_run:
        report(crew, entry, run)
    return run


def _read_fields(secret_arn: str) -> Mapping[str, object]:
    """Read the document of a new member, whose provider nobody knows yet."""
    client = secrets_manager_client()
    version = open_secret(client, secret_arn, time_left_seconds=READ_SECONDS).read(label=CURRENT)
    if version is None or version.value is None:
        raise no_value(SecretName(secret_id=secret_arn, region=client.meta.region_name))
    # Not as a token document: whether it needs a refresh token depends on its provider.
    return read_object(version.value, f"secret {secret_arn}")
