"""A region is lost, as docs/move-to-another-region.md walks through it: the strict Secrets Manager has two regions."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.test_secret import AnyReference
from testbed.aws.faults import Call
from testbed.policy import Ask, IamPolicy, resolve
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis, synthesise
from token_refresh.errors import TokenRefreshError
from token_refresh.reader import TokenReader
from token_refresh_worker.handlers import refresh

OLD, NEW = "eu-central-1", "eu-west-1"
TOKENS, PUBLISHED = "upwork-oauth-tokens", "upwork-oauth-tokens-published"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Regions:
    """Two regions. In the new one the published secret is a replica, until it is promoted."""

    def __init__(
        self, store: SecretsManagerServer, grants: dict[str, TokenEndpoint], patch: pytest.MonkeyPatch
    ) -> None:
        self.store, self.grants, self._patch = store, grants, patch
        for name, value in {**store.environment, "TOKEN_SECRET_ID": TOKENS, "PUBLISHED_SECRET_ID": PUBLISHED}.items():
            patch.setenv(name, value)
        self.gone: str | None = None
        self.replica = True
        store.authorize = self._refused
        for region in (OLD, NEW):
            for name in (TOKENS, PUBLISHED):
                self.client(region).create_secret(Name=name)

    def client(self, region: str) -> Any:
        return self.store.client(region_name=region)

    def _refused(self, call: Call) -> str | None:
        if call.region == self.gone:
            return "the region is gone"
        written = call.operation in {"PutSecretValue", "UpdateSecretVersionStage"}
        copy = call.region == NEW and f":{PUBLISHED}-" in str(call.arn)
        return "a replica" if self.replica and written and copy else None

    def authorize(self, region: str) -> None:
        """Store a grant of its own, as a person's consent does."""
        document = self.grants[region].token_set(lives_seconds=60)
        self.client(region).put_secret_value(
            SecretId=TOKENS, SecretString=json.dumps(document), ClientRequestToken=str(uuid.uuid4())
        )

    def run(self, region: str) -> str:
        """Run the worker of a region; each has a grant of its own."""
        self._patch.setenv("TOKEN_ENDPOINT", self.grants[region].url)
        self._patch.setenv("AWS_REGION", region)
        self._patch.setenv("AWS_DEFAULT_REGION", region)
        try:
            return str(refresh({"force": True}, None)["outcome"])
        except TokenRefreshError as error:
            return type(error).__name__
        finally:
            self._replicate()

    def _replicate(self) -> None:
        if not self.replica or self.gone == OLD:
            return
        value = self.client(OLD).get_secret_value(SecretId=PUBLISHED, VersionStage="AWSCURRENT")
        self.replica = False  # AWS writes it
        self.client(NEW).put_secret_value(
            SecretId=PUBLISHED, SecretString=value["SecretString"], ClientRequestToken=str(uuid.uuid4())
        )
        self.replica = True

    def read(self, region: str) -> str:
        """Read the token as a consumer of a region."""
        return str(TokenReader(PUBLISHED, region=region).get())


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Regions]:
    with (
        SecretsManagerServer(region=OLD) as store,
        TokenEndpoint(reuse="revokes") as old,
        TokenEndpoint(reuse="revokes") as new,
    ):
        yield Regions(store, {OLD: old, NEW: new}, monkeypatch)


def test_a_region_is_lost(regions: Regions) -> None:
    """Consumers read the replica, a person authorizes anew, and the old worker, once it is back, harms nothing."""
    regions.authorize(OLD)
    assert "refreshed" == regions.run(OLD)
    before = regions.read(NEW)
    assert before == regions.read(OLD)

    regions.gone = OLD
    assert before == regions.read(NEW)
    regions.authorize(NEW)
    regions.run(NEW)
    assert before == regions.read(NEW)  # the replica can't be written
    regions.replica = False  # stop-replication-to-replica
    assert regions.run(NEW) in {"fresh", "refreshed"}
    after = regions.read(NEW)
    assert after != before

    regions.gone = None
    assert "refreshed" == regions.run(OLD)
    assert after == regions.read(NEW)
    assert "refreshed" == regions.run(NEW)
    assert all(endpoint.grant.alive for endpoint in regions.grants.values())
    assert {200} == {request.status for endpoint in regions.grants.values() for request in endpoint.requests}


def test_replicas(code: Path, plain: Synthesis) -> None:
    """The published secret has replicas, consumers read them, and the worker may only encrypt with their keys."""
    here = {"environment": "prod", "account": "123456789012", "region": OLD}
    deployment = synthesise(here | {"replica_regions": [KEY, "us-east-1"]}, code)
    published = deployment.one("SecretsManager::Secret", Name=PUBLISHED)
    assert [{"Region": NEW, "KmsKeyId": KEY}, {"Region": "us-east-1"}] == published["ReplicaRegions"]
    assert "ReplicaRegions" not in deployment.one("SecretsManager::Secret", Name=TOKENS)
    assert not any("ReplicaRegions" in s["Properties"] for s in plain.resources("SecretsManager::Secret"))
    readers = json.dumps(deployment.one("IAM::ManagedPolicy")["PolicyDocument"])
    for region in (NEW, "us-east-1"):
        assert f":secretsmanager:{region}:123456789012:secret:{PUBLISHED}-??????" in readers
    assert KEY in readers
    assert {"Key": "token-refresh:replicas", "Value": f"{NEW} us-east-1"} in published["Tags"]
    primary = f"arn:aws:secretsmanager:{OLD}:123456789012:secret:{PUBLISHED}-AbCdEf"
    statements = resolve(deployment.policy_of_role("lambda.amazonaws.com"), AnyReference(primary))
    policy = IamPolicy(statements=statements)

    def may(action: str, arn: str, key: str = KEY) -> bool:
        context = {"kms:ViaService": f"secretsmanager.{NEW}.amazonaws.com", "kms:EncryptionContext:SecretARN": arn}
        return policy.allows(Ask(action=f"kms:{action}", resource=key, context=context))

    for arn in (primary, primary.replace(OLD, NEW)):
        assert [True, True, False] == [may(action, arn) for action in ("GenerateDataKey", "Encrypt", "Decrypt")]
    assert not may("Encrypt", primary.replace(PUBLISHED, TOKENS))
    assert not may("Encrypt", primary, KEY.replace(NEW, "us-east-1"))
