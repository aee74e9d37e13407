"""`doctor --function`: what the function's role may do."""

import pytest

from cli.aws import Account, Simulator
from cli.scene import SECRET_ID, Cli
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.fixture(autouse=True)
def deployed(account: Account) -> None:
    account.deploy()


@pytest.mark.parametrize("setting", ["published", "published/{secret}"])
def test_each_secret_is_asked_about(
    cli: Cli, store: SecretsManagerServer, account: Account, simulator: Simulator, setting: str
) -> None:
    """Copy, also a fleet's, client secret and claim table are asked about, and a secret for all providers is not."""
    published = setting.replace("{secret}", SECRET_ID)
    for name in (published, "client"):
        store.client().create_secret(Name=name)
    simulator.denied = {"secretsmanager:PutSecretValue"}
    variables = {"PUBLISHED_SECRET_ID": setting, "CLIENT_SECRET_ID": "client#web", "CLAIM_TABLE": "claims"}
    account.client("lambda").update_function_configuration(
        FunctionName="worker", Environment={"Variables": account.variables | variables}
    )

    ended = cli("doctor", "--function=worker")

    asked = sorted(arn.rsplit(":", 1)[-1].split("-")[0] for arn in simulator.asked)
    assert ["client", published.split("-")[0], "table/claims", "upwork"] == asked
    assert 2 == ended.screen.count("secretsmanager:PutSecretValue on arn:")  # of the token secret and its copy


def test_a_role_that_may_not_list_versions(cli: Cli, simulator: Simulator) -> None:
    """A run that may not list versions still refreshes, so a role that may not is a warning."""
    simulator.denied = {"secretsmanager:ListSecretVersionIds"}

    ended = cli("doctor", "--function=worker")

    assert "may do all that a usual run does" in ended.screen
    assert "a run also needs secretsmanager:ListSecretVersionIds on " in ended.screen
