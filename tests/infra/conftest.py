from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.enforced import World
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis, synthesise

GROUP = "deployments"

EVERYTHING = {
    "environment": "prod",
    "account": "123456789012",
    "region": "eu-central-1",
    "app": "upwork",
    "client_secret": "upwork/prod/client",
    "published_secret": "create",
    "kms_key": "create",
    "encrypt_logs": "true",
    "tracing": "true",
    "reserved_concurrency": "1",
    "alarm_email": "operator@example.com",
    "dashboard": "true",
    "operators": "arn:aws:iam::123456789012:role/operators,arn:aws:iam::123456789012:role/aws-reserved/sso/Admin_*",
    "consumers": "arn:aws:iam::123456789012:role/consumer",
}
"""Every option that adds something."""

ADOPTED = {
    "environment": "prod",
    "account": "123456789012",
    "region": "eu-central-1",
    "token_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:old-tokens-AbCdEf",
    "published_secret": "old-tokens-for-consumers",
    "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "alarm_topic": "arn:aws:sns:eu-central-1:123456789012:pager",
    "flexible_minutes": "0",
    "schedule_enabled": "false",
}
"""Everything that may be there already is, and the schedule is paused."""

LONG_STACK = "s" * 53
"""As long as a fleet's stack may be called: CloudFormation cuts the names that it makes of it."""

BARE: dict[str, Any] = {"environment": "dev", "alarms": False, "published_secret": "none"}
"""Nothing that can be left out."""

FLEET = {
    "mode": "fleet",
    "fleet": "prod",
    "environment": "prod",
    "account": "123456789012",
    "region": "eu-central-1",
    "by_tag": "true",
    "client_secret": "documents",
}

WHOLE_FLEET = FLEET | {
    "app": "crm",
    "by_tag": "false",
    "secrets_under": "crm/prod/",
    "client_secret": "clients/{provider}",
    "published_under": "published/",
    "provider": "xero",
    "event_bus": "default",
    "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "encrypt_logs": "true",
    "tracing": "true",
    "alarm_email": "operator@example.com",
    "concurrency": "8",
    "writes_per_second": "20",
}

QUIET_FLEET = FLEET | {"alarms": "false", "dashboard": "false", "schedule_enabled": "false"}
"""Switched off, and unwatched."""

QUIET_RECEIVER = {
    "mode": "webhooks",
    "environment": "prod",
    "stripe_secret": "acme/prod/stripe",
    "alarms": "false",
    "reserved_concurrency": "0",
}
"""Likewise."""

RECEIVER = {
    "mode": "webhooks",
    "environment": "prod",
    "account": "123456789012",
    "region": "eu-central-1",
    "app": "acme",
    "stripe_secret": "acme/prod/stripe",
    "slack_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme/prod/slack-AbCdEf#signingSecret",
    "github_secret": "ssm:/acme/prod/github#secret",
    "standard_secret": "ssm:/acme/prod/resend",
    "origin_secret": "acme/prod/slack#origin",
    "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "encrypt_logs": "true",
    "tracing": "true",
    "alarm_email": "operator@example.com",
}
"""Secrets of both stores, and every option that adds something."""


@pytest.fixture(scope="session")
def plain(code: Path) -> Synthesis:
    """What one gets by default."""
    return synthesise({"environment": "prod"}, code)


@pytest.fixture(scope="session")
def everything(code: Path) -> Synthesis:
    return synthesise(EVERYTHING, code)


@pytest.fixture(scope="session")
def with_table(code: Path) -> Synthesis:
    """Claims in a table of the stack's own."""
    return synthesise(EVERYTHING | {"claim_table": "create"}, code)


@pytest.fixture(scope="session")
def adopted(code: Path) -> Synthesis:
    return synthesise(ADOPTED, code)


@pytest.fixture(scope="session")
def bare(code: Path) -> Synthesis:
    return synthesise(BARE, code)


@pytest.fixture(scope="session")
def whole_fleet(code: Path) -> Synthesis:
    return synthesise(WHOLE_FLEET, code)


@pytest.fixture(scope="session")
def receiver(receiver_zip: Path) -> Synthesis:
    return synthesise(RECEIVER, receiver_zip)


@pytest.fixture
def world(everything: Synthesis) -> Iterator[World]:
    """The secrets of a deployment with every option, with tokens that are due, and their provider."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        found = World(everything, store, endpoint)
        found.fill_all(lives_seconds=60)
        yield found
