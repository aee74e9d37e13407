"""`doctor --function`: what the function's role may do, also by the secrets' own policies."""

import json
from typing import Any

import pytest

from cli.aws import Account, Simulator
from cli.scene import SECRET_ID, Cli, grades
from testbed.secrets_manager.server import SecretsManagerServer

ROLE = "arn:aws:iam::123456789012:role/worker"
VALUE = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
OTHERS = {"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::123456789012:role/other*"]}}


@pytest.fixture(autouse=True)
def deployed(account: Account) -> None:
    account.deploy()


def put(store: SecretsManagerServer, *statements: dict[str, Any], secret_id: str = SECRET_ID) -> None:
    """Give a secret a policy of its own."""
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    store.client().put_resource_policy(SecretId=secret_id, ResourcePolicy=json.dumps(policy))


def deny(**changes: Any) -> dict[str, Any]:
    return {"Sid": "Refuse", "Effect": "Deny", "Principal": "*", "Action": VALUE, "Resource": "*"} | changes


def grade(cli: Cli) -> str:
    return grades(cli("doctor", "--function=worker", "--json"))["function's permissions"]


@pytest.mark.parametrize(
    "statement",
    [
        deny(),
        deny(Condition=OTHERS),
        deny(Principal={"AWS": ROLE}),
        deny(Principal={"AWS": ["123456789012"]}),
        deny(Action="secretsmanager:*"),
        deny(Condition={"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}}),
        {key: value for key, value in deny(NotAction=["secretsmanager:Describe*"]).items() if key != "Action"},
    ],
    ids=["all", "not listed", "named", "account", "every action", "other account", "all but one action"],
)
def test_denied_by_the_secret(cli: Cli, store: SecretsManagerServer, statement: dict[str, Any]) -> None:
    """A statement of the secret's own policy that means the role is found, by its name, whoever else it means."""
    put(store, statement)

    ended = cli("doctor", "--function=worker")

    assert 1 == ended.code
    assert f"on {SECRET_ID} (Refuse of the secret's own policy denies it)" in ended.screen


@pytest.mark.parametrize(
    "statement",
    [
        deny(Effect="Allow"),
        deny(Condition={"ArnNotLike": {"aws:PrincipalArn": [ROLE]}}),
        deny(Condition={"Bool": {"aws:SecureTransport": False}}),
        deny(Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}),
        deny(Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        deny(Principal={"AWS": "arn:aws:iam::123456789012:role/other"}),
        deny(Action="secretsmanager:DeleteSecret"),
    ],
    ids=["allowed", "listed", "unencrypted", "network", "unknown operator", "other role", "other action"],
)
def test_denials_that_mean_others(cli: Cli, store: SecretsManagerServer, statement: dict[str, Any]) -> None:
    """A statement that means other callers, other actions or other connections is no fault."""
    put(store, statement)

    assert "ok" == grade(cli)


@pytest.mark.parametrize("setting", ["published", "published/{secret}"])
def test_each_secret_is_asked_about(
    cli: Cli, store: SecretsManagerServer, account: Account, simulator: Simulator, setting: str
) -> None:
    """Copy, also a fleet's, client secret and claim table are asked about, and a secret for all providers is not."""
    published = setting.replace("{secret}", SECRET_ID)
    for name in (published, "client"):
        store.client().create_secret(Name=name)
    put(store, deny(), secret_id=published)
    variables = {"PUBLISHED_SECRET_ID": setting, "CLIENT_SECRET_ID": "client#web", "CLAIM_TABLE": "claims"}
    account.client("lambda").update_function_configuration(
        FunctionName="worker", Environment={"Variables": account.variables | variables}
    )

    ended = cli("doctor", "--function=worker")

    asked = sorted(arn.rsplit(":", 1)[-1].split("-")[0] for arn in simulator.asked)
    assert ["client", published.split("-")[0], "table/claims", "upwork"] == asked
    assert f"secretsmanager:PutSecretValue on {published} (Refuse of the secret's own policy denies it)" in ended.screen


def test_a_role_that_may_not_list_versions(cli: Cli, simulator: Simulator) -> None:
    """A run that may not list versions still refreshes, so a role that may not is a warning."""
    simulator.denied = {"secretsmanager:ListSecretVersionIds"}

    ended = cli("doctor", "--function=worker")

    assert "may do all that runs do while the secret keeps its KMS key" in ended.screen
    assert "after a change of the key, they need secretsmanager:ListSecretVersionIds on " in ended.screen


def test_a_policy_that_can_not_be_read(cli: Cli, store: SecretsManagerServer) -> None:
    """Where the operator may not read a secret's policy, the role's own are checked, and the permission is named."""
    store.fault("deny", "GetResourcePolicy", times=None)

    ended = cli("doctor", "--function=worker")

    assert "ok function's permissions: all that a run needs, by IAM's simulator; the own policies of" in ended.screen
    assert f"{SECRET_ID} were not read, which takes secretsmanager:GetResourcePolicy" in ended.screen


def test_a_policy_that_is_no_policy(cli: Cli, store: SecretsManagerServer) -> None:
    """What is no JSON object denies nothing."""
    store.client().put_resource_policy(SecretId=SECRET_ID, ResourcePolicy="never")

    assert "ok" == grade(cli)
