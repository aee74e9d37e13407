"""One real run on the virtual clock: planner, protocol and adapter of the product, between imitations of AWS."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from benchmarks.fleets.account import VirtualSecretsManager
from benchmarks.fleets.providers import VirtualHost
from testbed.dynamodb.virtual import VirtualDynamoDb
from testbed.fakes import FakeLog
from testbed.virtual_clock import VirtualClock
from token_refresh.stored.refresh_window import DEFAULT_WINDOW
from token_refresh_worker.adapters.kept_tokens import TableKeeper
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.invocation import Invocation
from token_refresh_worker.run.ports import Deadline, RunDependencies
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import in_table

SINGLE_USE = load_provider("generic")
FLEET, TABLE = "bench", "claims"
KEPT_TOKENS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/kept"
RUN_SECONDS = 83.0
POLICY = Policy(
    refresh_window=DEFAULT_WINDOW,
    replay_grace=timedelta(0),
    host="provider.example",
    claim_store=in_table(TABLE),
)
"""Single use: a refresh token that is redeemed twice ends the grant."""


def host_name(provider: str, host: int) -> str:
    """Name one of a provider's token hosts."""
    return f"h{host}.{provider}.example"


def virtual_invocation(  # noqa: PLR0913 - a run and its surroundings, each by its name
    clock: VirtualClock,
    account: VirtualSecretsManager,
    endpoint: VirtualHost,
    table: VirtualDynamoDb,
    secret_arn: str,
    *,
    keeps: bool,
    copy_arn: str | None = None,
) -> Invocation:
    """Begin a run on one secret, as the handler does; with `keeps` the table keeps what Secrets Manager refuses."""
    client: Any = account
    dynamodb: Any = table
    host = host_name(endpoint.provider.name, endpoint.host)
    provider = replace(SINGLE_USE, name=endpoint.provider.name, token_endpoint=f"https://{host}/token")
    log = FakeLog()
    deadline = Deadline(clock=clock, at=clock.seconds + RUN_SECONDS)

    def build(trigger: Trigger, _variables: Mapping[str, str]) -> Run:
        store = SecretsManagerSecret(client, secret_arn, deadline)
        claims = TableClaims(dynamodb, TABLE, lambda: secret_arn, deadline)
        return Run(
            parts=RunDependencies(
                secret=SecretName(secret_id=secret_arn, region=store.region),
                policy=replace(POLICY, host=host),
                deadline=deadline,
                store=store,
                claims=claims,
                keeper=TableKeeper(claims, KEPT_TOKENS_KEY, _kms, deadline) if keeps else None,
                published=SecretsManagerSecret(client, copy_arn, deadline) if copy_arn else None,
                endpoint=lambda _: endpoint,
                credentials=_credentials,
                provider=provider,
                nonce=lambda: secrets.token_hex(16),
                log=log,
                trigger=trigger,
            ),
            limit=timedelta(seconds=RUN_SECONDS),
        )

    return Invocation(secret_id=secret_arn, clock=clock, log=log, build=build, fleet=FLEET)


class VirtualKms:
    """What the product takes for a client of KMS; nothing here is secret, so nothing is encrypted."""

    meta: ClassVar = VirtualDynamoDb.meta

    def encrypt(self, **what: Any) -> dict[str, Any]:
        """Return the text itself."""
        return {"CiphertextBlob": what["Plaintext"]}

    def decrypt(self, **what: Any) -> dict[str, Any]:
        """Return the text itself."""
        return {"Plaintext": what["CiphertextBlob"]}


def _credentials(document: TokenDocument) -> ClientCredentials:
    found = read_credentials(document.fields)
    if found is None:
        raise RuntimeError("every document of the benchmark has client credentials")
    return found


def _kms(service: str, *, region: str | None = None) -> Any:
    del service, region
    return VirtualKms()
