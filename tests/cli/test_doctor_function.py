"""`doctor --function`: the deployed function, its role, its schedule, its alarms, and how many run at once."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.aws import Account, Aws, Simulator
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.builders import DAY
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.advice import in_words
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.doctor.function import check_concurrency
from token_refresh_admin.cli.finding import Health
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG


def test_deployed(cli: Cli, account: Account) -> None:
    """On a healthy deployment every check is ok: caller, function, role, schedule, queues, alarms and their topic."""
    account.deploy()
    account.schedule(dead_letters=account.queue("dead"))
    account.keep_failed_runs(account.queue("failed"))
    account.alarm(AlarmActions=[account.topic("me@example.com")])

    ended = cli("doctor", "--function=worker")

    assert 0 == ended.code
    found = grades(cli("doctor", "--function=worker", "--json"))
    assert {"ok"} == {grade for name, grade in found.items() if name != "your permissions"}, found
    assert "ok credentials: arn:aws:" in ended.screen
    assert "ok function: worker, deployed 20" in ended.screen
    assert "ok function's permissions: IAM's simulator allows what a run needs" in ended.screen
    assert "ok schedule: worker, enabled" in ended.screen
    assert "ok alarms: 1, none in alarm" in ended.screen
    assert "ok alarm topic: 1 subscribed to arn:aws:sns:eu-central-1:123456789012:alarms" in ended.screen


def test_nothing_deployed(cli: Cli, account: Account) -> None:
    """A function that is not there ends the command; one with a wrong setting fails with the error of each run."""
    ended = cli("doctor", "--function=worker")

    assert 1 == ended.code
    assert "function worker in eu-central-1 does not exist" in ended.screen
    assert "look alarms: no alarm watches this secret" in cli("doctor").screen

    account.deploy(variables={"LOG_LEVEL": "never"})
    wrong = cli("doctor", SECRET_ID, "--function=worker")
    assert (1, True) == (wrong.code, "FAILED function's settings: LOG_LEVEL must be" in wrong.screen)


def test_function_unscheduled_and_denied(cli: Cli, account: Account, simulator: Simulator) -> None:
    """Nothing schedules it, its role lacks an action, an alarm rings: each fails by its name, and says who denies."""
    account.deploy()
    account.schedule("other", target=account.arn + "-other")
    account.alarm("ALARM")
    simulator.denied = {"secretsmanager:PutSecretValue"}

    ended = cli("doctor", "--function=worker")

    assert "FAILED schedule: nothing schedules the function" in ended.screen
    assert "access denied to arn:aws:iam::" in ended.screen
    assert "role/worker: secretsmanager:PutSecretValue on arn:aws:secretsmanager:" in ended.screen
    assert "(no policy of the role allows it)" in ended.screen
    assert "FAILED alarms: in alarm: renewal-overdue" in ended.screen
    assert "3 failed." in ended.screen

    simulator.refuser = "Organizations"
    organization = "(a service control policy of the AWS organization denies it)"
    assert organization in cli("doctor", "--function=worker").screen
    simulator.refuser = "PermissionsBoundary"
    assert "(the permissions boundary of the role denies it)" in cli("doctor", "--function=worker").screen


@pytest.mark.parametrize("setting", ["published", "published/{secret}"])
def test_each_secret_is_asked_about(
    cli: Cli, store: SecretsManagerServer, account: Account, simulator: Simulator, setting: str
) -> None:
    """Copy, also a fleet's, client secret and claim table are asked about, and a secret for all providers is not."""
    account.deploy()
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


def test_a_role_that_may_not_list_versions(cli: Cli, account: Account, simulator: Simulator) -> None:
    """A run that may not list versions still refreshes, so a role that may not is a warning."""
    account.deploy()
    simulator.denied = {"secretsmanager:ListSecretVersionIds"}

    ended = cli("doctor", "--function=worker")

    assert "may do all that a usual run does" in ended.screen
    assert "a run also needs secretsmanager:ListSecretVersionIds on " in ended.screen


def test_paused(cli: Cli, account: Account) -> None:
    """A schedule that is switched off is worth a look, and so is a function whose failures nobody keeps."""
    account.deploy()
    account.schedule(state="DISABLED")

    ended = cli("doctor", "--function=worker")

    assert 0 == ended.code
    assert "look schedule: switched off: worker -> remove schedule_enabled = false" in ended.screen
    assert "look dead letters: no queue keeps scheduled runs that never reached the function" in ended.screen
    assert "look failed runs: no queue keeps asynchronous runs that failed" in ended.screen


def test_what_went_wrong_is_counted(cli: Cli, account: Account) -> None:
    """Scheduled runs that did not arrive, and runs that failed, are worth a look; their text stays in the queue."""
    account.deploy()
    account.schedule(dead_letters=account.queue("dead", "canary"))
    account.keep_failed_runs(account.queue("failed", "canary", "canary"))

    ended = cli("doctor", "--function=worker")

    assert 0 == ended.code
    assert "look dead letters: 1 in dead: scheduled runs that never reached the function -> read" in ended.screen
    assert "look failed runs: 2 in failed: asynchronous runs that failed -> read what happened" in ended.screen
    url = f"{account.url}/123456789012/failed"
    for action in ("receive-message", "purge-queue"):
        assert f"aws sqs {action} --queue-url {url} --region eu-central-1" in ended.screen
    assert "canary" not in ended.screen


@pytest.fixture
def aws(environment: dict[str, str], tokens: Tokens) -> Iterator[Aws]:
    tokens.store(expires_in=DAY)
    with Aws() as server:
        environment["AWS_ENDPOINT_URL"] = f"http://{server.address}"
        names = ("PROVIDER", "TOKEN_ENDPOINT")
        server.function["Environment"] = {
            "Variables": {"TOKEN_SECRET_ID": SECRET_ID, **{name: environment[name] for name in names}}
        }
        yield server


def test_refused_everywhere(cli: Cli, aws: Aws) -> None:
    """Where the caller may not ask, that is said, and with which permission it could be."""
    aws.function["LastModified"] = "2026-11-24T12:00:00.000+0000"

    found = grades(cli("doctor", "--function=worker", "--json"))

    assert {"credentials", "function's permissions", "schedule", "failed runs", "alarms", "your permissions"} == {
        name for name, grade in found.items() if grade == "skipped"
    }


def test_a_broken_function_and_many_schedules(cli: Cli, aws: Aws) -> None:
    """A function that is not active fails; schedules are read to the last page."""
    aws.function["State"] = "Failed"
    ours = {"Name": "ours", "State": "ENABLED", "Target": {"Arn": "arn"}}
    aws.schedules = [{"Schedules": [], "NextToken": "2"}, {"Schedules": [ours]}]

    ended = cli("doctor", "--function=worker")

    assert "FAILED function: its state is Failed" in ended.screen
    for state in ("Pending", "Inactive"):
        aws.function["State"] = state
        assert f"FAILED function: its state is {state}" in cli("doctor", "--function=worker").screen
    assert "ok schedule: ours, enabled" in ended.screen
    assert "skipped dead letters: not known: scheduler:GetSchedule on schedule ours in eu-central-1 was" in ended.screen


@pytest.mark.parametrize(
    ("left", "mappings", "health"),
    [
        (66, [], Health.HEALTHY),
        (65, [{}], Health.BROKEN),
        (10, [], Health.BROKEN),
        (10, [{"ScalingConfig": {"MaximumConcurrency": 8}}], Health.HEALTHY),
    ],
)
def test_the_quota(left: int, mappings: list[dict[str, Any]], health: Health) -> None:
    """What other functions leave must suffice for the runs at once that are deployed, dispatcher and resync.

    Where it does not, the command that asks for more is named.
    """
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": left}
    responses = {
        "lambda:GetAccountSettings": {"AccountLimit": limits},
        "lambda:ListEventSourceMappings": {"EventSourceMappings": mappings},
    }
    account = SimpleNamespace(region="eu-central-1", ask=lambda action, *_, **_members: responses[action])

    found = check_concurrency(cast("Context", account), "worker")

    broken = health is Health.BROKEN
    asks = "--quota-code L-B99A9384 --desired-value 1000 --region eu-central-1"
    assert (health, broken) == (found.health, asks in in_words(found.remedy))
    assert (f"lets {left} functions run at once, and the fleet uses 66" in found.text) is broken


def test_of_a_fleet_alone(cli: Cli, account: Account, store: SecretsManagerServer) -> None:
    """The quota is checked for a fleet's worker, which has no schedule of its own."""
    store.client().tag_resource(SecretId=SECRET_ID, Tags=[{"Key": FLEET_TAG, "Value": "prod"}])
    account.deploy(variables={"FLEET_NAME": "prod", "CLAIM_TABLE": "prod"})
    found = grades(cli("doctor", "--function=worker", "--json"))

    assert "concurrent runs" in found
    assert "schedule" not in found
