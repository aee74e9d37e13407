"""The composition root: which adapters a run acts with. Nothing else knows them all.

Without a region, or where the AWS configuration or a proxy variable can't be used, there is no client: whatever needs
one raises `ConfigurationError`.
"""

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3.session  # noqa: F401 - in Lambda's INIT, which has a full core; an invocation has a share of one

from token_refresh.aws.clients import CLIENTS, ClientLimits, MakeClient
from token_refresh.aws.request import TOKEN_SECRET_SETTING
from token_refresh_worker.adapters import event_bus
from token_refresh_worker.adapters.calls import OVERRUN_SECONDS, RUN_LIMITS
from token_refresh_worker.adapters.client_assertion import MakeAssertion, sign_with_key, state_role
from token_refresh_worker.adapters.kept_tokens import TableKeeper
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import FailedRequest
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.credentials import find_credentials, previous_credentials
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import (
    REQUEST_TIMEOUT_SECONDS,
    ClaimStore,
    Clock,
    Deadline,
    Log,
    RunDependencies,
    SendEvent,
)
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint

MARGIN_SECONDS = OVERRUN_SECONDS + 1.0
"""Kept back from the time that a run is given: for a call that is under way at its end, and for the last log line."""


class SystemClock:
    """The machine's stopwatch; the only clock of this program."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; a machine that was suspended finds its deadline over."""
        # CLOCK_MONOTONIC stands still while Lambda freezes the process.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def build_run(  # noqa: PLR0913 - all by name but the two that always differ
    settings: Settings,
    trigger: Trigger,
    *,
    clock: Clock,
    log: Log,
    time_left_seconds: float,
    client: MakeClient | None = None,
) -> Run:
    """Put a run together.

    Its process may still live for `time_left_seconds`. `client` makes the client of an AWS service, by default for the
    AWS configuration of this process.
    """
    secret_id = settings.token_secret_id  # not the event's: it may name the secret by its ARN
    deadline = Deadline(clock=clock, at=clock.monotonic() + time_left_seconds - MARGIN_SECONDS)

    make_client = client or aws_client
    secrets_client = make_client("secretsmanager")

    def secret(name: str, setting: str) -> SecretsManagerSecret:
        return SecretsManagerSecret(secrets_client, name, deadline, setting=setting)

    store = secret(secret_id, TOKEN_SECRET_SETTING)
    client_secret = partial(secret, setting="CLIENT_SECRET_ID")
    claims = open_claims(settings, store, deadline, make_client)
    keeper = None
    if isinstance(claims, TableClaims) and settings.kept_tokens_key_id is not None:
        keeper = TableKeeper(claims, settings.kept_tokens_key_id, make_client, deadline)
    return Run(
        parts=RunDependencies(
            secret=SecretName(secret_id=secret_id, region=store.region),
            trigger=trigger,
            policy=settings.policy,
            deadline=deadline,
            store=store,
            claims=claims,
            keeper=keeper,
            published=secret(settings.published_secret_id, "PUBLISHED_SECRET_ID")
            if settings.published_secret_id
            else None,
            endpoint=partial(token_endpoint, client_key_id=settings.client_key_id, client=make_client),
            credentials=partial(find_credentials, settings=settings, secret=client_secret),
            previous_credentials=partial(previous_credentials, settings=settings, secret=client_secret),
            provider=settings.provider,
            # Random, so that equal claims of two runs are different values under one version ID.
            nonce=lambda: secrets.token_hex(16),
            log=log,
            run_period=settings.run_period,
            request_timeout_seconds=settings.request_timeout_seconds,
        ),
        limit=timedelta(seconds=math.ceil(time_left_seconds)),
    )


def open_claims(settings: Settings, store: SecretsManagerSecret, deadline: Deadline, client: MakeClient) -> ClaimStore:
    """Open the store of the claims on a secret: `CLAIM_TABLE`, or the secret itself."""
    if settings.claim_table is None:
        return VersionClaims(store)
    # Asked at each call: the complete ARN is known once the secret was read.
    return TableClaims(client("dynamodb"), settings.claim_table, lambda: store.arn, deadline)


def open_secret(
    client: "SecretsManagerClient", secret_id: str, *, time_left_seconds: float, setting: str | None = None
) -> SecretsManagerSecret:
    """Open one secret, without a run."""
    clock = SystemClock()
    deadline = Deadline(clock=clock, at=clock.monotonic() + time_left_seconds)
    return SecretsManagerSecret(client, secret_id, deadline, setting=setting)


def token_endpoint(provider: Provider, *, client_key_id: str | None, client: MakeClient) -> "HttpTokenEndpoint":
    """Make the HTTP client's adapter for the endpoint of a provider whose variables are filled in."""
    # Imported here: most runs find nothing due, and httpx takes 0.10 of the straightforward handler's cold start: with
    # it, they miss their limit (`scripts/bench worker`).
    from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint  # noqa: PLC0415

    make_assertion: MakeAssertion | None = partial(sign_with_key, client_key_id, client) if client_key_id else None
    if provider.request.auth_method is AuthMethod.AWS_IAM_JWT:
        make_assertion = partial(state_role, client)
    return HttpTokenEndpoint(provider.token_endpoint, provider.response, make_assertion, provider.ca_certificates)


def revocation_sender(
    provider: Provider, *, client_key_id: str | None, client: MakeClient
) -> Callable[[TokenRequest], FailedRequest | None]:
    """Return what sends a request to the provider's revocation endpoint, and to no other place."""
    at_revocation = replace(provider, token_endpoint=provider.revocation_endpoint)
    endpoint = token_endpoint(at_revocation, client_key_id=client_key_id, client=client)
    return partial(endpoint.revoke, timeout_seconds=REQUEST_TIMEOUT_SECONDS)


def open_bus(name: str) -> SendEvent:
    """Open the bus to which events about grants are sent, by name or ARN."""
    return partial(event_bus.send_event, aws_client("events", limits=event_bus.BUS_LIMITS), name)


def aws_client(service: str, *, region: str | None = None, limits: ClientLimits = RUN_LIMITS) -> Any:
    """Return a client, by default for a run; see `Clients.get`."""
    client = CLIENTS.get(service, limits=limits, region=region)
    find_proxy(client.meta.endpoint_url)  # botocore calls a malformed one an outage, and tries again
    return client
