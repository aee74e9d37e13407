from __future__ import annotations

from typing import Any

from infra.policy import Ask, Policy, resolve
from infra.synthesis import Deployment

OTHER = "210987654321"
OWN = {"PrincipalAccount": "123456789012", "PrincipalIsAWSService": "false", "SecureTransport": "true"}


def beside_everything(statements: list[dict[str, Any]]) -> Policy:
    """What is left of a policy that allows everything, beside a resource's own statements."""
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return Policy(statements=[anything, *({k: v for k, v in s.items() if k != "Principal"} for s in statements)])


def test_foreign_and_public_access(plain: Deployment) -> None:
    """A secret's own policy refuses other accounts and unencrypted connections, whatever another policy allows."""
    policies = plain.resources("SecretsManager::ResourcePolicy")
    secrets = plain.resources("SecretsManager::Secret")

    assert [{"Ref": plain.logical_id("SecretsManager::Secret", **s["Properties"])} for s in secrets] == [
        policy["Properties"]["SecretId"] for policy in policies
    ]
    for policy in policies:
        statements = policy["Properties"]["ResourcePolicy"]["Statement"]
        evaluated = beside_everything(resolve(statements, {"AWS::AccountId": "123456789012"}))
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


def test_allow_list(everything: Deployment, plain: Deployment) -> None:
    """With an allow list, only the worker and operators reach the tokens, and consumers only what is published."""
    worker = "arn:aws:iam::123456789012:role/worker"
    people = ["operators", "aws-reserved/sso/Admin_0a1b", "consumer", "admin"]
    callers = [worker, *(f"arn:aws:iam::123456789012:role/{name}" for name in people)]

    def readers(deployment: Deployment, name: str, action: str) -> list[bool]:
        secret = {"Ref": deployment.logical_id("SecretsManager::Secret", Name=name)}
        policy = deployment.one("SecretsManager::ResourcePolicy", SecretId=secret)["ResourcePolicy"]
        evaluated = beside_everything(resolve(policy["Statement"], AnyReference(worker)))
        context = {f"aws:{key}": value for key, value in OWN.items()}
        return [
            evaluated.allows(
                Ask(action=f"secretsmanager:{action}", resource="s", context=context | {"aws:PrincipalArn": caller})
            )
            for caller in callers
        ]

    tokens, published = everything.parameters.token_secret_id, str(everything.parameters.published_secret_id)
    for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "UpdateSecret"):
        assert [True, True, True, False, False] == readers(everything, tokens, action)
        assert [True, True, True, True, False] == readers(everything, published, action)
    # A list that locks its owner out can be corrected.
    assert [True] * 5 == readers(everything, tokens, "PutResourcePolicy")
    assert [True] * 5 == readers(plain, "upwork-oauth-tokens", "GetSecretValue")


class AnyReference(dict[str, str]):
    """Resolves every reference of a policy to one ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__()
        self._arn = arn

    def __missing__(self, name: str) -> str:
        return "123456789012" if name == "AWS::AccountId" else self._arn


def test_one_key_for_what_is_secret(everything: Deployment, plain: Deployment) -> None:
    """Where a key is made, both secrets are encrypted with it, and it changes each year; else AWS's own key is used."""
    key = everything.arn_of("KMS::Key")

    assert [key, key] == [s["Properties"]["KmsKeyId"] for s in everything.resources("SecretsManager::Secret")]
    assert everything.one("KMS::Key")["EnableKeyRotation"]
    assert all("KmsKeyId" not in secret["Properties"] for secret in plain.resources("SecretsManager::Secret"))


def test_tagged_by_environment(plain: Deployment) -> None:
    """What a deployment makes and costs carries its environment as a tag."""
    kinds = ("SecretsManager::Secret", "Lambda::Function", "SQS::Queue", "Logs::LogGroup", "SNS::Topic", "IAM::Role")

    for kind in kinds:
        for resource in plain.resources(kind):
            assert [{"Key": "environment", "Value": "prod"}] == resource["Properties"]["Tags"]
