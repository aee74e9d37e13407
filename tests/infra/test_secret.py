import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.conftest import EVERYTHING
from testbed.policy import Ask, IamPolicy, resolve
from testbed.synthesis import Synthesis
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.single.stack import SingleStack

from aws_cdk import App, LegacyStackSynthesizer  # isort: skip - after our package, see its docstring

OTHER = "210987654321"
OWN = {"PrincipalAccount": "123456789012", "PrincipalIsAWSService": "false", "SecureTransport": "true"}


def beside_everything(statements: list[dict[str, Any]]) -> IamPolicy:
    """What is left of a policy that allows everything, beside a resource's own statements."""
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return IamPolicy(statements=[anything, *({k: v for k, v in s.items() if k != "Principal"} for s in statements)])


def test_foreign_and_public_access(plain: Synthesis) -> None:
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


class AnyReference(dict[str, str]):
    """Resolves every reference of a policy to one ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__()
        self._arn = arn

    def __missing__(self, name: str) -> str:
        return {"AWS::AccountId": "123456789012", "AWS::Partition": "aws"}.get(name, self._arn)


ROLE = "arn:aws:iam::123456789012:role"
WORKER, DEPLOYING = f"{ROLE}/worker", f"{ROLE}/cdk-hnb659fds-cfn-exec-role-123456789012-eu-central-1"
PEOPLE = [f"{ROLE}/{name}" for name in ("operators", "aws-reserved/sso/Admin_0a1b", "consumer", "admin")]
CALLERS = [WORKER, DEPLOYING, *PEOPLE, "arn:aws:iam::123456789012:root"]


def callers_of(deployment: Synthesis, name: str, action: str) -> list[bool]:
    """Who of `CALLERS` may do something, if an identity policy of each allows everything."""
    secret = {"Ref": deployment.logical_id("SecretsManager::Secret", Name=name)}
    policy = deployment.one("SecretsManager::ResourcePolicy", SecretId=secret)["ResourcePolicy"]
    evaluated = beside_everything(resolve(policy["Statement"], AnyReference(WORKER)))
    context = {f"aws:{key}": value for key, value in OWN.items()}
    return [
        evaluated.allows(
            Ask(action=f"secretsmanager:{action}", resource="s", context=context | {"aws:PrincipalArn": caller})
        )
        for caller in CALLERS
    ]


def test_allow_list(everything: Synthesis, plain: Synthesis) -> None:
    """With an allow list, worker, operators and deploying role reach the tokens; consumers what is published."""
    tokens, published = everything.parameters.token_secret_id, str(everything.parameters.published_secret_id)
    for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"):
        assert [True, True, True, True, False, False, False] == callers_of(everything, tokens, action)
        assert [True, True, True, True, True, False, False] == callers_of(everything, published, action)
        assert [True] * 7 == callers_of(plain, "upwork-oauth-tokens", action)


def test_who_may_manage(everything: Synthesis, plain: Synthesis) -> None:
    """With an allow list, only operators and the deploying role do more to a secret than read its metadata."""
    operations = set(boto3.client("secretsmanager", region_name="eu-central-1").meta.service_model.operation_names)
    named = {"DeleteSecret", "ReplicateSecretToRegions", "AssociateCrossAccountReplica", "TagResource", "RotateSecret"}
    assert named | {"PutResourcePolicy", "DeleteResourcePolicy", "UpdateSecret"} < operations

    for action in operations - {"GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"}:
        open_to_all = action.startswith(("Describe", "Get", "List", "BatchGet"))
        for name in (everything.parameters.token_secret_id, str(everything.parameters.published_secret_id)):
            allowed = [False, True, True, True, False, False, False]
            assert ([True] * 7 if open_to_all else allowed) == callers_of(everything, name, action), action
        assert [True] * 7 == callers_of(plain, "upwork-oauth-tokens", action)


def test_an_unknown_deploying_role_is_refused(code: Path) -> None:
    """Where the CDK doesn't know with which role a stack is deployed, an allow list would lock the stack out."""
    parameters = parameters_of(EVERYTHING)
    app = App(default_stack_synthesizer=LegacyStackSynthesizer())

    with pytest.raises(TypeError, match="operators"):
        SingleStack(app, "stack", parameters=parameters, code=code)  # type: ignore[arg-type]  # of this mode


def test_the_policy_of_the_page_is_the_one_that_is_deployed(everything: Synthesis) -> None:
    """The example for adopted secrets is what the stack writes into the policies of its own."""
    text = (Path(__file__).parents[2] / "examples" / "allow_list.json").read_text("utf-8")

    shown = {s["Sid"]: s for s in json.loads(text)["Statement"]}
    policy = everything.resources("SecretsManager::ResourcePolicy")[0]["Properties"]["ResourcePolicy"]
    deployed = {s["Sid"]: s for s in policy["Statement"] if s["Sid"] in shown}

    def without_arns(statement: dict[str, Any]) -> dict[str, Any]:
        return statement | {"Principal": "*", "Condition": list(statement["Condition"]["ArnNotLike"])}

    assert {sid: without_arns(s) for sid, s in shown.items()} == {sid: without_arns(s) for sid, s in deployed.items()}


def test_one_key_for_what_is_secret(everything: Synthesis, plain: Synthesis) -> None:
    """A key that is made encrypts both secrets, changes each year, and lets in three services of AWS."""
    arn, key = everything.arn_of("KMS::Key"), everything.one("KMS::Key")
    account, *services = (statement["Principal"] for statement in key["KeyPolicy"]["Statement"])

    assert [arn, arn] == [s["Properties"]["KmsKeyId"] for s in everything.resources("SecretsManager::Secret")]
    assert key["EnableKeyRotation"]
    assert "root" in json.dumps(account["AWS"])
    named = ("logs.eu-central-1", "cloudwatch", "events")
    assert [{"Service": f"{name}.amazonaws.com"} for name in named] == services
    assert [] == plain.resources("KMS::Key")
    assert all("KmsKeyId" not in secret["Properties"] for secret in plain.resources("SecretsManager::Secret"))


def tags_of(deployment: Synthesis) -> dict[str, dict[str, str]]:
    """The project's tags on each secret of a template, by the secret's name and without their prefix."""
    return {
        secret["Properties"]["Name"]: {
            tag["Key"].removeprefix("token-refresh:"): tag["Value"]
            for tag in secret["Properties"]["Tags"]
            if tag["Key"].startswith("token-refresh:")
        }
        for secret in deployment.resources("SecretsManager::Secret")
    }


def test_secrets_name_their_deployment(plain: Synthesis, with_table: Synthesis, bare: Synthesis) -> None:
    """The token secret's tags name function, published secret and claim table; the published one's its source."""
    name, named = "upwork-oauth-tokens", "upwork/prod/upwork-oauth-tokens"

    assert {
        name: {"function": "token-refresh-prod", "published": f"{name}-published"},
        f"{name}-published": {"published-from": name},
    } == tags_of(plain)
    assert {
        named: {
            "function": "token-refresh-upwork-prod",
            "published": f"{named}-published",
            "claim-table": "token-refresh-upwork-prod-claims",
        },
        f"{named}-published": {"published-from": named},
    } == tags_of(with_table)
    assert {name: {"function": "token-refresh-dev"}} == tags_of(bare)
