from __future__ import annotations

from typing import Any

from infra.policy import Ask, Policy
from infra.synthesis import Deployment

OTHER = "210987654321"
OWN = {"PrincipalAccount": "123456789012", "PrincipalIsAWSService": "false", "SecureTransport": "true"}


def beside_everything(statements: list[dict[str, Any]]) -> Policy:
    """What is left of a policy that allows everything, beside a resource's own statements."""
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return Policy(statements=[anything, *({k: v for k, v in s.items() if k != "Principal"} for s in statements)])


def test_foreign_and_public_access(everything: Deployment) -> None:
    """A secret's own policy refuses other accounts and unencrypted connections, whatever another policy allows."""
    policies = everything.resources("SecretsManager::ResourcePolicy")
    secrets = everything.resources("SecretsManager::Secret")

    assert [{"Ref": everything.logical_id("SecretsManager::Secret", **s["Properties"])} for s in secrets] == [
        policy["Properties"]["SecretId"] for policy in policies
    ]
    for policy in policies:
        statements = policy["Properties"]["ResourcePolicy"]["Statement"]
        evaluated = beside_everything(statements)
        assert all(s["Principal"] in ("*", {"AWS": "*"}) for s in statements)
        assert policy["Properties"]["BlockPublicPolicy"]
        for action in ("GetSecretValue", "PutSecretValue", "DeleteSecret", "PutResourcePolicy"):
            assert [True, False, False, False, True] == [
                evaluated.allows(
                    Ask(
                        action=f"secretsmanager:{action}",
                        resource="the-secret",
                        context={f"aws:{name}": value for name, value in caller.items()},
                    )
                )
                for caller in (
                    OWN,
                    OWN | {"PrincipalAccount": OTHER},
                    OWN | {"SecureTransport": "false"},
                    {"SecureTransport": "true"},
                    {"PrincipalIsAWSService": "true", "SecureTransport": "true"},
                )
            ]


def test_one_key_for_what_is_secret(everything: Deployment, plain: Deployment) -> None:
    """Where a key is made, both secrets are encrypted with it, and it changes each year; else AWS's own key is used."""
    key = everything.arn_of("KMS::Key")

    assert [key, key] == [s["Properties"]["KmsKeyId"] for s in everything.resources("SecretsManager::Secret")]
    assert everything.one("KMS::Key")["EnableKeyRotation"]
    assert "KmsKeyId" not in plain.one("SecretsManager::Secret")


def test_tagged_by_environment(plain: Deployment) -> None:
    """What a deployment makes and costs carries its environment as a tag."""
    kinds = ("SecretsManager::Secret", "Lambda::Function", "SQS::Queue", "Logs::LogGroup", "SNS::Topic", "IAM::Role")

    for kind in kinds:
        for resource in plain.resources(kind):
            assert [{"Key": "environment", "Value": "prod"}] == resource["Properties"]["Tags"]
