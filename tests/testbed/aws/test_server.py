"""Who may call: an authorizer decides, as a policy does."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from testbed.aws.faults import Call
from testbed.secrets_manager.server import SecretsManagerServer


def test_a_policy_is_enforced(server: SecretsManagerServer, client: Any) -> None:
    """An authorizer sees action, secret, region and labels of every call, and denies before it is applied."""
    seen: list[Call] = []

    def authorize(call: Call) -> str | None:
        seen.append(call)
        return "writes to AWSCURRENT" if "AWSCURRENT" in call.version_stages else None

    server.authorize = authorize
    denied = r"perform: secretsmanager:PutSecretValue on resource: arn:aws:.*:tokens-"
    with pytest.raises(ClientError, match=denied):
        client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["AWSCURRENT"])
    client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["REFRESH_CLAIM"])

    secret = server.secrets.find("tokens")
    assert secret is not None
    assert [(secret.arn, "eu-central-1", ("AWSCURRENT",)), (secret.arn, "eu-central-1", ("REFRESH_CLAIM",))] == [
        (call.arn, call.region, call.version_stages) for call in seen
    ]
    assert 2 == len(secret.versions)
